import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { prune } from "../../runner/cli/prune.ts";
import type { Terminal } from "../../runner/cli/terminal.ts";
import { OWNER_LABEL, SERVER_LABEL, VOLUME_LABEL } from "../../runner/docker/label.ts";
import { makeSecretFolder } from "../../runner/docker/secret-folder.ts";
import { claimOwner } from "../../runner/local/owner.ts";
import { assertNothingLeft, useEngine } from "../support/engine.ts";

const { docker, skip } = await useEngine();
const story = (name: string, run: () => Promise<void>) =>
  void test(name, { skip, timeout: 60_000 }, run);

const home = await mkdtemp(join(tmpdir(), "mcp-runner-prune-"));
const before = process.env["MCP_RUNNER_HOME"];
process.env["MCP_RUNNER_HOME"] = home;
after(async () => {
  if (before === undefined) delete process.env["MCP_RUNNER_HOME"];
  else process.env["MCP_RUNNER_HOME"] = before;
  await rm(home, { recursive: true });
});

/** Runs the command; its result, line by line. */
async function run(...args: string[]): Promise<string[]> {
  const lines: string[] = [];
  const terminal: Terminal = {
    env: process.env,
    out: (line) => void lines.push(line),
    note: (line) => assert.fail(line),
    ask: () => assert.fail("It asks"),
    askHidden: () => assert.fail("It asks"),
    interactive: false,
    onReload: () => () => {},
    stopped: new AbortController().signal,
  };
  await prune(args, terminal);
  return lines;
}

/** What a killed runner leaves: its socket without a listener, a container, a network, a folder. */
async function killedRunner(): Promise<string> {
  const owner = randomUUID();
  after(() => assertNothingLeft(docker.engine, owner));
  await writeFile(join(home, `${owner}.sock`), "");
  const labels = { [OWNER_LABEL]: owner };
  await docker.runScript("setInterval(() => {}, 1000)", {
    labels: { ...labels, [SERVER_LABEL]: "stubborn" },
  });
  await docker.engine.docker.createNetwork({
    Name: `mcp-runner-test-${owner.slice(0, 8)}`,
    Internal: true,
    Labels: labels,
  });
  await makeSecretFolder(owner, new Map([["TOKEN", "value"]]));
  return owner;
}

story(
  "prune removes what a killed runner left, says so, and finds nothing the second time",
  async () => {
    await killedRunner();
    assert.deepEqual(await run(), [
      "Removed 1 container",
      "Removed 1 network",
      "Removed 1 folder",
    ]);
    assert.deepEqual(await readdir(home), []);
    assert.deepEqual(await run(), ["Nothing to remove"]);
  },
);

story("prune --json tells the same to programs", async () => {
  await killedRunner();
  assert.deepEqual((await run("--json")).map((line): unknown => JSON.parse(line)), [
    { ok: true, containers: 1, networks: 1, folders: 1, volumes: [], kept: [] },
  ]);
});

story("prune --volumes keeps volumes while a runner lives, and says which", async () => {
  const owner = await claimOwner(home);
  const name = `mcp-runner-t${randomUUID().slice(0, 8)}-db`;
  const volume = { Name: name, Labels: { [VOLUME_LABEL]: "t/db" } };
  await docker.engine.docker.createVolume(volume);
  try {
    const lines = await run("--volumes");
    assert.ok(lines.includes(`Kept volume ${name}: a runner or a container uses it`));
    assert.deepEqual(lines.filter((line) => line.startsWith("Removed volume")), []);
  } finally {
    await docker.engine.docker.getVolume(name).remove();
    await owner.close();
  }
});

story("prune takes no names", async () => {
  await assert.rejects(run("everything"), {
    code: "usage",
    message: /^prune takes no names\nUsage: /,
  });
});
