import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { test, type TestContext } from "node:test";
import { catalog } from "../../runner/cli/catalog.ts";
import type { Terminal } from "../../runner/cli/terminal.ts";
import { fakeFetch } from "../support/fake-fetch.ts";

const OWN = `registry:
  notes:
    type: server
    image: ada/notes:1
    title: Notes
    description: "Keeps\\e[2J notes"
    config: [{ properties: { path: { type: string } }, required: [path] }]
    volumes: ["{{notes.path}}:/notes"]
`;

const DOCKERS =
  "registry: { fetch: { type: server, image: mcp/fetch, description: Fetches URLs } }";

/** Runs the command in a folder of its own where a config names a catalog. */
async function run(t: TestContext, ...args: readonly string[]) {
  const folder = await mkdtemp(join(tmpdir(), "mcp-runner-test-"));
  t.after(() => rm(folder, { recursive: true }));
  const before = process.env["MCP_RUNNER_HOME"];
  process.env["MCP_RUNNER_HOME"] = join(folder, "home");
  t.after(() => {
    if (before === undefined) delete process.env["MCP_RUNNER_HOME"];
    else process.env["MCP_RUNNER_HOME"] = before;
  });
  await writeFile(join(folder, "c.yaml"), OWN);
  const config = join(folder, "mcp-runner.yaml");
  await writeFile(config, "version: 1\ncatalogs: [./c.yaml]\nservers: {}\n");
  const out: string[] = [];
  const terminal: Terminal = {
    env: {},
    interactive: false,
    out: (line) => out.push(line.replaceAll(folder, "HERE")),
    note: (line) => out.push(`note: ${line}`),
    ask: () => Promise.reject(new Error("nobody is asked")),
    askHidden: () => Promise.reject(new Error("nobody is asked")),
    stopped: new AbortController().signal,
    onReload: () => {},
  };
  using fetched = fakeFetch(() => new Response(DOCKERS));
  await catalog([...args, "--config", config], terminal);
  return { out, asked: fetched.requests.length };
}

test("catalog ls lists the config's entries and Docker's, and moves no cursor", async (t) => {
  const { out } = await run(t, "ls");
  assert.deepEqual(out, ["fetch  Fetches URLs", "notes  Keeps\\x1b[2J notes"]);
});

test("catalog search finds entries by their words", async (t) => {
  assert.deepEqual((await run(t, "search", "fetches", "urls")).out, ["fetch  Fetches URLs"]);
  assert.deepEqual((await run(t, "search", "nothing")).out, ["note: No entries"]);
});

test("catalog show says what would run and how the config names it, without Docker's catalog", async (t) => {
  const { out, asked } = await run(t, "show", "notes");
  assert.deepEqual(out, [
    "notes",
    "  title       Notes",
    "  about       Keeps\\x1b[2J notes",
    "  from        HERE/c.yaml",
    "  runs        image:ada/notes:1",
    "  config      path: text; required",
    "  volumes     {{notes.path}}:/notes",
    "  network     none: the entry does not say what it needs, name it under network",
    "",
    "In mcp-runner.yaml:",
    "",
    "servers:",
    "  notes:",
    "    source: docker:notes",
    "    config:",
    '      path: ""',
    "    # network: [api.example.com:443]",
    "    tools: { allow: [] }",
  ]);
  assert.equal(asked, 0);
});

test("catalog --json prints one object", async (t) => {
  const { out: [line = ""] } = await run(t, "show", "docker:fetch", "--json");
  const { ok, entry, config } = JSON.parse(line) as {
    ok: boolean;
    entry: { name: string };
    config: string;
  };
  assert.equal(ok, true);
  assert.equal(entry.name, "fetch");
  assert.match(config, /source: docker:fetch/);
});

test("catalog without a known action says how it is used", async (t) => {
  for (const args of [[], ["list"], ["ls", "a"], ["show"], ["search"]]) {
    await assert.rejects(run(t, ...args), {
      code: "usage",
      message: /Usage: mcp-runner catalog ls/,
    });
  }
});
