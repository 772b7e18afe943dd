import assert from "node:assert/strict";
import { test } from "node:test";
import {
  callTool,
  inSession,
  messageOf,
  modern,
  MODERN_META,
  openSession,
  RESULT,
  startWorkerInMemory,
} from "../support/home.ts";

test("a call goes to the runner in canonical form, and its result comes back untouched", async () => {
  const worker = startWorkerInMemory();
  const runner = await worker.runner({ tools: ["notes__read"] });
  const client = await worker.client();
  const params = { name: "notes__read", arguments: { path: "a/ü", n: 1 } };
  const answer = modern(client, "tools/call", params, { id: "client-7" });
  const { header, payload } = await runner.next("call");
  const { id, ...rest } = header;
  assert.deepEqual(rest, {
    type: "call",
    method: "tools/call",
    deadlineMs: 290_000,
    protocolVersion: "2026-07-28",
    clientCapabilities: {},
    caller: { client: client.id },
  });
  assert.deepEqual(JSON.parse(payload), { _meta: MODERN_META, ...params });
  const result = '{ "content":[], "later":1.0, "s":"\\u00e9\u2028" }';
  runner.say({ type: "accepted", id });
  runner.say({ type: "result", id }, result);
  const response = await answer;
  assert.equal(response.headers.get("content-type"), "application/json");
  assert.equal(response.headers.get("cache-control"), "no-store");
  assert.equal(await response.text(), `{"jsonrpc":"2.0","id":"client-7","result":${result}}`);
});

test("a call brings along its parameter headers, as sent, and the log level that it wants", async () => {
  const worker = startWorkerInMemory();
  const runner = await worker.runner({ tools: ["notes__read"] });
  const _meta = { ...MODERN_META, "io.modelcontextprotocol/logLevel": "warning" };
  void modern(await worker.client(), "tools/call", { name: "notes__read", _meta }, {
    headers: { "Mcp-Param-Region": " =?base64?ZXU=?=", "mcp-param-n": "1" },
  });
  const { header } = await runner.next("call");
  assert.deepEqual(header.paramHeaders, { region: "=?base64?ZXU=?=", n: "1" });
  assert.equal(header.logLevel, "warning");
});

test("the longest headers and capabilities that are read together fit a frame", async () => {
  const worker = startWorkerInMemory();
  const runner = await worker.runner({ tools: ["notes__read"] });
  const long = { a: '"'.repeat(16_000) };
  const _meta = { ...MODERN_META, "io.modelcontextprotocol/clientCapabilities": long };
  void modern(await worker.client(), "tools/call", { name: "notes__read", _meta }, {
    headers: { "mcp-param-a": "x".repeat(8_000), "mcp-param-b": '"'.repeat(7_500) },
  });
  const { header } = await runner.next("call");
  assert.equal(header.paramHeaders?.["b"]?.length, 7_500);
});

test("a call of a session names the session's revision", async () => {
  const worker = startWorkerInMemory();
  const runner = await worker.runner({ tools: ["notes__read"] });
  for (const version of ["2025-11-25", "2025-06-18", "2025-03-26"]) {
    const session = await openSession(await worker.client(), version);
    const answer = inSession(session, "tools/call", { name: "notes__read" });
    const { header } = await runner.next("call");
    assert.equal(header.protocolVersion, version);
    runner.say({ type: "result", id: header.id }, RESULT);
    assert.deepEqual((await messageOf(await answer)).result, JSON.parse(RESULT));
  }
});

test("an error of the runner comes back as it was written, at 200", async () => {
  const worker = startWorkerInMemory();
  const runner = await worker.runner({ tools: ["notes__read"] });
  const answer = callTool(await worker.client(), "notes__read");
  const { header } = await runner.next("call");
  const error = '{"code":-32020,"message":"of the server","data":{"x":1.0}}';
  runner.say({ type: "error", id: header.id }, error);
  const response = await answer;
  assert.equal(response.status, 200);
  assert.equal(await response.text(), `{"jsonrpc":"2.0","id":1,"error":${error}}`);
});

test("call ids are random, never used twice, and never the client's", async () => {
  const worker = startWorkerInMemory();
  const runner = await worker.runner({ maxCalls: 1_000, tools: ["notes__read"] });
  const client = await worker.client();
  const ids = new Set<string>();
  for (let n = 0; n < 200; n++) {
    const answer = callTool(client, "notes__read", { id: "7" });
    const { header } = await runner.next("call");
    ids.add(header.id);
    assert.match(
      header.id,
      /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
    );
    runner.say({ type: "result", id: header.id }, "{}");
    await answer;
  }
  assert.equal(ids.size, 200);
});

test("clients with the same request id each get their own answer, in whatever order", async () => {
  const worker = startWorkerInMemory();
  const runner = await worker.runner({ tools: ["notes__read"] });
  const answers: Array<Promise<Response>> = [];
  for (let n = 0; n < 20; n++) {
    const client = await worker.client();
    answers.push(
      modern(client, "tools/call", { name: "notes__read", arguments: { n } }, { id: 0 }),
    );
  }
  const calls = await Promise.all(answers.map(() => runner.next("call")));
  for (const { header, payload } of calls.toReversed()) {
    const { arguments: { n } } = JSON.parse(payload) as { arguments: { n: number } };
    runner.say({ type: "result", id: header.id }, `{"n":${n}}`);
  }
  for (const [n, answer] of answers.entries()) {
    assert.deepEqual(await messageOf(await answer), { jsonrpc: "2.0", id: 0, result: { n } });
  }
});

test("a reply from another runner's link is ignored, also if it knows the call's id", async () => {
  const worker = startWorkerInMemory();
  const runner = await worker.runner({ id: "a", tools: ["notes__read"] });
  const other = await worker.runner({ id: "b", tools: ["git__log"] });
  const answer = callTool(await worker.client(), "notes__read");
  const { header: { id } } = await runner.next("call");
  other.say({ type: "accepted", id });
  other.say({ type: "note", id }, '{"jsonrpc":"2.0","method":"notifications/progress"}');
  other.say({ type: "error", id }, '{"code":1,"message":"forged"}');
  other.say({ type: "result", id }, '{"forged":true}');
  runner.say({ type: "result", id }, RESULT);
  assert.deepEqual((await messageOf(await answer)).result, JSON.parse(RESULT));
});

test("only the first of two ends counts, and what comes after it is ignored", async () => {
  const worker = startWorkerInMemory();
  const runner = await worker.runner({ tools: ["notes__read"] });
  const answer = callTool(await worker.client(), "notes__read");
  const { header: { id } } = await runner.next("call");
  runner.say({ type: "result", id }, RESULT);
  runner.say({ type: "result", id }, '{"second":true}');
  runner.say({ type: "error", id }, '{"code":1,"message":"late"}');
  runner.say({ type: "note", id }, '{"jsonrpc":"2.0","method":"late"}');
  runner.say({ type: "accepted", id });
  assert.deepEqual((await messageOf(await answer)).result, JSON.parse(RESULT));
  assert.deepEqual(runner.closes, []);
});

test("of two runners with a tool, the less busy one gets the call", async () => {
  const worker = startWorkerInMemory();
  const a = await worker.runner({ id: "a", tools: ["notes__read"] });
  const b = await worker.runner({ id: "b", tools: ["notes__read", "git__log"] });
  const client = await worker.client();
  for (const expected of [a, b, a, b, a, b]) {
    void callTool(client, "notes__read");
    await expected.next("call");
  }
  assert.deepEqual([a.all("call").length, b.all("call").length], [3, 3]);
  void callTool(client, "git__log");
  await b.next("call");
});

test("a server whose tools are not known yet leaves the answer to its runner", async () => {
  const worker = startWorkerInMemory();
  const runner = await worker.runner({ servers: [{ name: "cold", listed: false }] });
  const answer = callTool(await worker.client("cold__*"), "cold__any");
  const { header } = await runner.next("call");
  runner.say({ type: "result", id: header.id }, "{}");
  assert.deepEqual((await messageOf(await answer)).result, {});
});
