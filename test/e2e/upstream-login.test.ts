/**
 * `mcp-runner login` and `logout`, with the browser of a user who agrees, and what a login is good for.
 *
 * @module
 */
import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { MODERN_REVISION } from "../../src/mcp/revisions.ts";
import { type ProtectedSite, protectedSite } from "../support/authorization-server.ts";
import { createMachine, type Machine } from "../support/runner.ts";
import { sendJson } from "../support/upstream.ts";

/** A site whose MCP server has one tool, for those who are logged in. */
async function teamSite(t: TestContext): Promise<ProtectedSite> {
  const facts = { resultType: "complete", ttlMs: 0, cacheScope: "private" };
  const site: ProtectedSite = await protectedSite(t, {
    instead: ({ path, headers, message: { id, method } }, response) => {
      const token = String(headers["authorization"] ?? "").replace(/^Bearer /, "");
      if (path !== "/mcp" || !site.live.has(token)) return false;
      const result = method === "server/discover"
        ? { ...facts, supportedVersions: [MODERN_REVISION], capabilities: { tools: {} } }
        : { ...facts, tools: [{ name: "search", inputSchema: { type: "object" } }] };
      sendJson(response, { jsonrpc: "2.0", id, result });
      return true;
    },
  });
  return site;
}

async function machineWith(t: TestContext, url: string, more = ""): Promise<Machine> {
  const machine = await createMachine(
    `version: 1\nservers:\n  team:\n    source: ${url}\n    tools: { allow: ["*"] }\n${more}`,
  );
  t.after(() => machine[Symbol.asyncDispose]());
  return machine;
}

/** Runs `login`, and does in a browser what it says. */
async function logIn(machine: Machine, ...args: string[]): Promise<string> {
  const program = machine.start("login", "team", "--no-browser", ...args);
  const shown = /^ {2}(http:\S+)$/m;
  await program.printed(shown);
  const [, page = ""] = shown.exec(program.output()) ?? [];
  assert.match(await (await fetch(page)).text(), /You can close this page/);
  assert.equal(await program.exit, 0, program.output());
  return program.stdout();
}

test("a server that wants a login names the command, and works after it", async (t) => {
  const site = await teamSite(t);
  const machine = await machineWith(t, site.url);
  const before = await machine.run("inspect", "team");
  assert.match(before.output, /^ {2}error +Cannot use upstream .* run mcp-runner login team/m);
  const said = await logIn(machine, "--json");
  assert.deepEqual(JSON.parse(said), {
    ok: true,
    server: "team",
    issuer: site.origin,
    scopes: ["read"],
    renews: true,
  });
  const tools = await machine.run("tools", "ls");
  assert.match(tools.stdout, /team__search/, tools.output);

  const out = await machine.run("logout", "team", "--json");
  assert.deepEqual(JSON.parse(out.stdout), { ok: true, server: "team", revoked: true });
  assert.equal(site.live.size, 0);
  assert.match((await machine.run("inspect", "team")).output, /run mcp-runner login team/);
});

test("tokens lie nowhere in the state directory in clear text", async (t) => {
  const site = await teamSite(t);
  const machine = await machineWith(t, site.url);
  await logIn(machine);
  const [token = ""] = site.live;
  assert.ok(token.length > 10);
  const files = await readdir(machine.home, { recursive: true, withFileTypes: true });
  for (const file of files.filter((each) => each.isFile())) {
    const text = await readFile(join(file.parentPath, file.name), "utf8");
    assert.ok(!text.includes(token), file.name);
  }
});

test("login --client-metadata prints the document that clientId names", async (t) => {
  const clientId = "https://ada.example/mcp-runner.json";
  const machine = await machineWith(
    t,
    "https://mcp.example.com/mcp",
    `    oauth: { clientId: "${clientId}" }\n`,
  );
  const { stdout, output } = await machine.run(
    "login",
    "team",
    "--client-metadata",
    "--port",
    "3131",
  );
  const document = JSON.parse(stdout) as { client_id: string; redirect_uris: string[] };
  assert.equal(document.client_id, clientId, output);
  assert.deepEqual(document.redirect_uris, [
    "http://127.0.0.1/callback",
    "http://127.0.0.1:3131/callback",
  ]);
});

test("a login is refused for a server that has none, with what to do", async (t) => {
  const machine = await machineWith(
    t,
    "https://mcp.example.com/mcp",
    '    headers: { Authorization: "x" }\n',
  );
  const cases: readonly (readonly [args: string[], message: RegExp])[] = [
    [["login"], /Name one server/],
    [["login", "nosuch"], /There is no server "nosuch"/],
    [["login", "team"], /gets the Authorization header of the config/],
    [["login", "team", "--port", "0"], /--port is a number/],
    [["login", "team", "--client-metadata"], /names no document/],
  ];
  for (const [args, message] of cases) {
    const { code, output } = await machine.run(...args);
    assert.equal(code, 2, output);
    assert.match(output, message);
  }
});
