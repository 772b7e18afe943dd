import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { finalResult } from "../../runner/gateway/final-result.ts";
import { scan } from "../../src/mcp/scan.ts";
import { VERSION } from "../../src/version.ts";
import { errorOf } from "../support/gateway.ts";
import { openScripted } from "../support/scripted-gateway.ts";

const INFO = `"io.modelcontextprotocol/serverInfo":{"name":"mcp-runner","version":"${VERSION}"}`;

/** What a modern caller gets of `text`, outlined as part of a longer line as servers write it. */
function final(text: string, method = "tools/call"): { text: string; resultType: string } {
  const line = `{"jsonrpc":"2.0", "id":1,"result": ${text} }`;
  const result = scan(line, { keep: 2, maxDepth: 64 }).members.get("result");
  return finalResult(text, result?.value.members ?? new Map(), method);
}

const results: Array<[given: string, expected: string, method?: string]> = [
  ["{}", `{"resultType":"complete","_meta":{${INFO}}}`],
  ["{ }", `{"resultType":"complete","_meta":{${INFO}}}`],
  ['{"n":1.0}', `{"resultType":"complete","_meta":{${INFO}},"n":1.0}`],
  ['{ "n" : 1.0 }', `{"resultType":"complete","_meta":{${INFO}}, "n" : 1.0 }`],
  ['{"resultType":"complete"}', `{"_meta":{${INFO}},"resultType":"complete"}`],
  ['{"_meta":{}}', `{"resultType":"complete","_meta":{${INFO}}}`],
  ['{"_meta": { "a":1 } }', `{"resultType":"complete","_meta": {${INFO}, "a":1 } }`],
  [
    '{"a":1,"_meta":{"b":2},"c":3}',
    `{"resultType":"complete","a":1,"_meta":{${INFO},"b":2},"c":3}`,
  ],
  [
    '{"_meta":{"io.modelcontextprotocol/serverInfo":{"name":"x"}}}',
    '{"resultType":"complete","_meta":{"io.modelcontextprotocol/serverInfo":{"name":"x"}}}',
  ],
  [
    '{"_meta":{"io.modelcontextprotocol\\/serverInfo":{"name":"x"}}}',
    '{"resultType":"complete","_meta":{"io.modelcontextprotocol\\/serverInfo":{"name":"x"}}}',
  ],
  [
    '{"_meta":{"a":"io.modelcontextprotocol/serverInfo"}}',
    `{"resultType":"complete","_meta":{${INFO},"a":"io.modelcontextprotocol/serverInfo"}}`,
  ],
  ['{"_meta":{"a":1,"a":2}}', '{"resultType":"complete","_meta":{"a":1,"a":2}}'],
  ['{"_meta":7}', '{"resultType":"complete","_meta":7}'],
  [
    '{"contents":[]}',
    `{"resultType":"complete","_meta":{${INFO}},"ttlMs":0,"cacheScope":"private","contents":[]}`,
    "resources/read",
  ],
  [
    '{"ttlMs":5,"contents":[],"cacheScope":"public"}',
    `{"resultType":"complete","_meta":{${INFO}},"ttlMs":5,"contents":[],"cacheScope":"public"}`,
    "resources/read",
  ],
];

for (const [given, expected, method] of results) {
  test(`a modern caller gets ${expected.slice(0, 60)}… of ${given}`, () => {
    assert.deepEqual(final(given, method), { text: expected, resultType: "complete" });
  });
}

test("whatever a server answers, a modern caller can read it, and finds all of it", () => {
  const members = fc.dictionary(fc.string(), fc.jsonValue());
  fc.assert(
    fc.property(members, fc.constantFrom(0, 1), (value, indent) => {
      const given = JSON.parse(JSON.stringify(value)) as Record<string, unknown>;
      const text = JSON.stringify(given, null, indent);
      const read = JSON.parse(final(text, "resources/read").text) as Record<string, unknown>;
      for (const [key, each] of Object.entries(given)) {
        if (key !== "_meta") assert.deepEqual(read[key], each);
      }
      assert.ok("resultType" in read && "_meta" in read);
    }),
  );
});

test("the type of a result that is not complete travels beside it", async () => {
  const bench = openScripted({ a: { tools: ["echo"] } });
  for (const [protocolVersion, resultType] of [["2026-07-28", "x"], ["2025-11-25", "x"]] as const) {
    const events = await bench.ask("tools/call", { name: "a__echo" }, { protocolVersion });
    bench.server("a").last.result(`{"a":1,"resultType":"${resultType}"}`);
    assert.match(events[1] ?? "", /^x result \{/);
  }
});

test("a type that no frame can carry fails its call alone, and not the tunnel", async () => {
  const bench = openScripted({ a: { tools: ["echo"] } });
  for (const protocolVersion of ["2026-07-28", "2025-11-25"]) {
    const events = await bench.ask("tools/call", { name: "a__echo" }, { protocolVersion });
    bench.server("a").last.result(`{"resultType":"${"x".repeat(129)}"}`);
    assert.deepEqual(events.slice(0, -1), ["accepted"]);
    const { code, executed } = errorOf(events).data;
    assert.deepEqual([code, executed], ["server_failed", "yes"]);
  }
});

test("a question where none can be asked is the server's failure, not ours", async () => {
  const bench = openScripted({ a: { prompts: ["greet"] } });
  const ref = { type: "ref/prompt", name: "a__greet" };
  const events = await bench.ask("completion/complete", { ref, argument: {} });
  bench.server("a").last.listener.inputRequired('{"inputRequests":{}}', "inner");
  assert.equal(errorOf(events).data.code, "server_failed");
  assert.match(errorOf(events).message, /server "a" asked for input/);
});

test("a result that only looks like a question brings no state of the server's own to the caller", async () => {
  const bench = openScripted({ a: { tools: ["echo"] } });
  const events = await bench.ask("tools/call", { name: "a__echo" });
  bench.server("a").last.result('{"resultType":"input_required","requestState":"runner-2.x"}');
  assert.deepEqual(events.slice(0, -1), ["accepted"]);
  assert.equal(errorOf(events).data.code, "server_failed");
});

test("a caller of a legacy revision gets the server's bytes", async () => {
  const bench = openScripted({ a: { tools: ["echo"], resources: ["file:///x"] } });
  const legacy = { protocolVersion: "2025-06-18" };
  const call = await bench.ask("tools/call", { name: "a__echo" }, legacy);
  bench.server("a").last.result('{ "content":[], "n":1.0 }');
  const read = await bench.ask("resources/read", { uri: "file:///x" }, legacy);
  bench.server("a").last.result('{"contents":[ ]}');
  assert.equal(call[1], 'result { "content":[], "n":1.0 }');
  assert.equal(read[1], 'result {"contents":[ ]}');
});

test("a method that is not served refuses the whole request", async () => {
  const bench = openScripted({ a: { tools: ["echo"] } });
  for (const method of ["tools/list", "logging/setLevel", "tasks/list", "tasks/result"]) {
    const [event] = await bench.ask(method, {});
    assert.match(event ?? "", /^error \{"code":-32601,.*\} 404$/, method);
  }
});

test("a capability that a server misses refuses the whole request, whoever says so", async () => {
  const bench = openScripted({ a: { tools: ["echo"] } });
  const error = '{"code":-32021,"message":"no","data":{"requiredCapabilities":{"sampling":{}}}}';
  const events = await bench.ask("tools/call", { name: "a__echo" });
  bench.server("a").last.listener.error(error);
  assert.deepEqual(events, [`error ${error} 400`]);
  const other = await bench.ask("tools/call", { name: "a__echo" });
  bench.server("a").last.listener.error('{"code":-32020,"message":"-32021"}');
  assert.deepEqual(other, ['error {"code":-32020,"message":"-32021"}']);
});

test("an answer that cannot be read where it must be fails its call alone", async () => {
  const bench = openScripted({
    a: { resources: ["file:///x"], tools: ["echo"] },
    b: { resources: ["file:///x"], tools: ["echo"] },
  });
  const events = await bench.ask("tools/call", { name: "b__echo" });
  bench.server("b").last.result('{"content":[{"uri":"file:///x","uri":"file:///x"}]}');
  assert.equal(errorOf(events).data.code, "server_failed");
  assert.equal(errorOf(events).data.executed, "yes");
});
