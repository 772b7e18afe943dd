import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type Client,
  inSession,
  messageOf,
  modern,
  offerOfRawTools,
  openSession,
  startWorkerInMemory,
  toolNamesIn,
} from "../support/home.ts";

/** Names of the tools that `client` sees. */
async function namesFor(client: Client): Promise<readonly string[]> {
  return await toolNamesIn(await modern(client, "tools/list"));
}

test("server/discover says what is served, with every member that 2026-07-28 asks for", async () => {
  const client = await startWorkerInMemory().client();
  const response = await modern(client, "server/discover");
  assert.equal(response.headers.get("content-type"), "application/json");
  assert.equal(response.headers.get("cache-control"), "no-store");
  const { result = {} } = await messageOf(response);
  const { ttlMs, instructions, _meta, ...rest } = result;
  assert.deepEqual(rest, {
    resultType: "complete",
    supportedVersions: ["2026-07-28"],
    capabilities: {
      tools: { listChanged: true },
      prompts: { listChanged: true },
      resources: { subscribe: true, listChanged: true },
      completions: {},
      logging: {},
      extensions: { "io.modelcontextprotocol/tasks": {} },
    },
    cacheScope: "private",
  });
  assert.ok(Number.isInteger(ttlMs) && Number(ttlMs) >= 0);
  assert.match(String(instructions), /<server>__<tool>/);
  const info = (_meta as Record<string, { name: string; version: string }>)[
    "io.modelcontextprotocol/serverInfo"
  ];
  assert.equal(info?.name, "mcp-runner");
  assert.equal(typeof info?.version, "string");
});

test("tools/list of 2026-07-28 is private, timed, and names the server", async () => {
  const worker = startWorkerInMemory();
  await worker.runner({ tools: ["notes__read", "notes__write"] });
  const { result = {} } = await messageOf(await modern(await worker.client(), "tools/list"));
  const { ttlMs, _meta, ...rest } = result;
  assert.deepEqual(rest, {
    resultType: "complete",
    cacheScope: "private",
    tools: ["notes__read", "notes__write"].map((name) => ({
      name,
      inputSchema: { type: "object" },
    })),
  });
  assert.ok(Number.isInteger(ttlMs) && Number(ttlMs) >= 0);
  assert.ok("io.modelcontextprotocol/serverInfo" in (_meta as object));
});

test("tools/list of a session has the members that its revision knows", async () => {
  const worker = startWorkerInMemory();
  await worker.runner({ tools: ["notes__read"] });
  const session = await openSession(await worker.client());
  const { result } = await messageOf(await inSession(session, "tools/list"));
  assert.deepEqual(result, { tools: [{ name: "notes__read", inputSchema: { type: "object" } }] });
});

test("a list without tools is a list", async () => {
  assert.deepEqual(await namesFor(await startWorkerInMemory().client()), []);
});

test("every client sees the tools that its own token grants", async () => {
  const worker = startWorkerInMemory();
  await worker.runner({ tools: ["notes__read", "notes__write", "git__log", "gi__x"] });
  const grants: ReadonlyArray<readonly [patterns: readonly string[], seen: readonly string[]]> = [
    [["*"], ["notes__read", "notes__write", "git__log", "gi__x"]],
    [["notes__*"], ["notes__read", "notes__write"]],
    [["git__log"], ["git__log"]],
    [["*__read", "gi?__*"], ["notes__read", "git__log"]],
    [["NOTES__*", "git", "__read"], []],
  ];
  for (const [patterns, seen] of grants) {
    assert.deepEqual(await namesFor(await worker.client(...patterns)), seen, patterns.join());
  }
});

test("tools come as their server wrote them, byte for byte", async () => {
  const worker = startWorkerInMemory();
  const runner = await worker.runner();
  const tool =
    `{ "x" : 1.0, "name":"a__b", "description":"\\u00e9\\ud83d\\ude00\u2028","inputSchema":` +
    `{"type":"object","$defs":{"__proto__":{}}},"annotations":{"later":[1e400]} }`;
  runner.say(
    { type: "offer", revision: 1 },
    offerOfRawTools("a", `[${tool}]`),
  );
  const text = await (await modern(await worker.client(), "tools/list")).text();
  assert.ok(text.includes(`"tools":[${tool}]`), text);
});

test("a newer offer takes the place of the older one", async () => {
  const worker = startWorkerInMemory();
  const runner = await worker.runner({ tools: ["notes__read", "notes__write"] });
  const client = await worker.client();
  runner.offer("notes__read", "git__log");
  assert.deepEqual(await namesFor(client), ["notes__read", "git__log"]);
  runner.offer();
  assert.deepEqual(await namesFor(client), []);
});

test("two runners offer together; of one tool that both have, one is listed", async () => {
  const worker = startWorkerInMemory();
  await worker.runner({ id: "a", tools: ["notes__read", "git__log"] });
  await worker.runner({ id: "b", tools: ["notes__read", "files__ls"] });
  assert.deepEqual(await namesFor(await worker.client()), ["notes__read", "git__log", "files__ls"]);
});

test("what a runner offered stays listed while it is away", async () => {
  const worker = startWorkerInMemory();
  const runner = await worker.runner({ tools: ["notes__read"] });
  runner.lose();
  assert.deepEqual(await namesFor(await worker.client()), ["notes__read"]);
});

test("a tool whose name is not its server's, or too long, is left out, and the others stay", async () => {
  const worker = startWorkerInMemory();
  const runner = await worker.runner();
  const tools = ["b__x", "a_x", "a", "", 7, `a__${"x".repeat(254)}`, "a__ok"].map((name) => ({
    name,
  }));
  const broken = JSON.stringify([...tools, {}, null, "a__y", []]);
  runner.say({ type: "offer", revision: 1 }, offerOfRawTools("a", broken));
  assert.deepEqual(await namesFor(await worker.client()), ["a__ok"]);
});

test("modern and legacy clients see the same tools", async () => {
  const worker = startWorkerInMemory();
  await worker.runner({ tools: ["notes__read", "git__log"] });
  const client = await worker.client("git__*");
  const response = await inSession(await openSession(client), "tools/list");
  assert.deepEqual(await toolNamesIn(response), await namesFor(client));
});
