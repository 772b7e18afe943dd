import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Exchange } from "../../runner/server/exchange.ts";
import { readParams, toModernParams } from "../../runner/server/params.ts";

const META = "io.modelcontextprotocol/";

/** The params that reach a modern server. */
function served(params: string, more: Partial<Exchange> & Partial<Exchange["caller"]> = {}) {
  const { capabilities = {}, logLevel, input } = more;
  const text = toModernParams({
    method: "tools/call",
    params: readParams(params),
    caller: { client: "c", protocolVersion: "2025-11-25", capabilities, logLevel },
    ...(input && { input }),
  }, 7);
  const { _meta, requestState, inputResponses } = JSON.parse(text) as {
    _meta: Record<string, unknown>;
    requestState?: unknown;
    inputResponses?: unknown;
  };
  return { text, _meta, requestState, inputResponses };
}

test("every request says the revision, the runner as its client, and what the caller can do", () => {
  const { _meta } = served('{"name":"echo"}', { capabilities: { elicitation: {}, x: [1] } });
  assert.equal(_meta[`${META}protocolVersion`], "2026-07-28");
  assert.deepEqual(_meta[`${META}clientCapabilities`], { elicitation: {}, x: [1] });
  assert.equal((_meta[`${META}clientInfo`] as { name: string }).name, "mcp-runner");
  assert.equal(`${META}logLevel` in _meta, false);
});

test("what the caller says of itself is replaced, and what is neither ours nor its stays", () => {
  const { text, _meta } = served(
    `{"_meta":{"traceparent" : "00-1","${META}clientInfo":{"name":"x"},"x.test/k":1.0,` +
      `"${META}logLevel":"debug","${META}clientCapabilities":{"roots":{}}},"name":"echo"}`,
    { logLevel: "error" },
  );
  assert.ok(text.startsWith('{"_meta":{"traceparent" : "00-1",'), text);
  assert.ok(text.includes('"x.test/k":1.0'));
  assert.equal((_meta[`${META}clientInfo`] as { name: string }).name, "mcp-runner");
  assert.deepEqual(_meta[`${META}clientCapabilities`], {});
  assert.equal(_meta[`${META}logLevel`], "error");
});

test("the progress token is our request id, if the caller gave one", () => {
  assert.equal(served('{"_meta":{"progressToken":"t"}}')._meta["progressToken"], 7);
  assert.equal("progressToken" in served('{"_meta":{}}')._meta, false);
});

test("answers go on with their raw text and the server's state", () => {
  const input = {
    state: 'a"b',
    responses: new Map([['k"1', '{ "n": 1.0 }'], ["k2", "{}"]]),
    errors: new Map(),
  };
  const { text, requestState } = served('{"name":"echo"}', { input });
  assert.ok(text.includes('"inputResponses":{"k\\"1":{ "n": 1.0 },"k2":{}}'), text);
  assert.equal(requestState, 'a"b');
});

test("a retry without state or without answers has neither member", () => {
  const none = { state: undefined, responses: new Map<string, string>(), errors: new Map() };
  const { requestState, inputResponses } = served("{}", { input: none });
  assert.deepEqual([requestState, inputResponses], [undefined, undefined]);
});

test("all but _meta keeps its bytes", () => {
  const text = fc.jsonValue().map((value) => JSON.stringify(value, null, 1));
  fc.assert(fc.property(text, text, (args, unknown) => {
    const made = served(`{"arguments":${args},"name":"echo","x":${unknown}}`).text;
    assert.ok(made.startsWith(`{"arguments":${args},"name":"echo","x":${unknown},"_meta":{`));
  }));
});
