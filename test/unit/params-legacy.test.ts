import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { readParams, toLegacyParams } from "../../runner/server/params.ts";

function served(text: string, id = 7): string {
  return toLegacyParams(readParams(text), id);
}

const cases: Array<[what: string, params: string, expected: string]> = [
  ["params without _meta are the caller's", '{ "name" : "echo" }', '{ "name" : "echo" }'],
  [
    "all else keeps its bytes and its place",
    '{ "arguments" : { "n": 1.0, "s":"\\u0041" } , "_meta":{"progressToken":1},"x":{"ttl":1e3}}',
    '{"arguments" : { "n": 1.0, "s":"\\u0041" },"_meta":{"progressToken":7},"x":{"ttl":1e3}}',
  ],
  [
    "_meta in escapes is the same _meta",
    '{"\\u005fmeta":{"io.modelcontextprotocol/x":1},"name":"echo"}',
    '{"name":"echo"}',
  ],
  [
    "what a legacy client answered with errors is not the server's",
    '{"name":"echo","_meta":{"com.mcp-runner/inputErrors":{"a":{}}}}',
    '{"name":"echo"}',
  ],
  [
    "the envelope of the modern revision is dropped",
    '{"name":"echo","_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28",' +
    '"io.modelcontextprotocol/clientCapabilities":{},"io.modelcontextprotocol/later":1}}',
    '{"name":"echo"}',
  ],
  [
    "a reserved key in escapes is dropped, too",
    '{"name":"echo","_meta":{"io\\u002emodelcontextprotocol/clientInfo":{}}}',
    '{"name":"echo"}',
  ],
  [
    "other _meta is kept",
    '{"name":"echo","_meta":{"example.com/trace" : "a","io.modelcontextprotocol/x":1}}',
    '{"name":"echo","_meta":{"example.com/trace" : "a"}}',
  ],
  [
    "a key that only looks reserved is kept",
    '{"name":"echo","_meta":{"io.modelcontextprotocol":1,"IO.modelcontextprotocol/x":2}}',
    '{"name":"echo","_meta":{"io.modelcontextprotocol":1,"IO.modelcontextprotocol/x":2}}',
  ],
  [
    "reserved keys outside of params._meta are not ours to change",
    '{"name":"echo","arguments":{"_meta":{"io.modelcontextprotocol/x":1,"progressToken":"t"}}}',
    '{"name":"echo","arguments":{"_meta":{"io.modelcontextprotocol/x":1,"progressToken":"t"}}}',
  ],
  ["_meta that is no object is dropped", '{"name":"echo","_meta":[1]}', '{"name":"echo"}'],
  [
    "a progress token becomes our request id",
    '{"name":"echo","_meta":{"a":1,"progressToken":"t1"}}',
    '{"name":"echo","_meta":{"a":1,"progressToken":7}}',
  ],
  [
    "no progress is asked for that the caller did not ask for",
    '{"name":"echo","_meta":{"a":1}}',
    '{"name":"echo","_meta":{"a":1}}',
  ],
  [
    "keys of the object prototype are plain members",
    '{"name":"echo","__proto__":{"x":1},"_meta":{"__proto__":1,"toString":2}}',
    '{"name":"echo","__proto__":{"x":1},"_meta":{"__proto__":1,"toString":2}}',
  ],
];

for (const [what, params, expected] of cases) {
  test(`toLegacyParams(): ${what}`, () => assert.equal(served(params), expected));
}

test("toLegacyParams() keeps the text of arguments and of unknown members, whatever they are", () => {
  const text = fc.jsonValue().map((value) => JSON.stringify(value, null, 1));
  fc.assert(fc.property(text, text, text, (args, unknown, meta) => {
    const params = `{"arguments":${args},"name":"echo","x":${unknown},"_meta":{"m":${meta}}}`;
    assert.equal(
      served(params),
      `{"arguments":${args},"name":"echo","x":${unknown},"_meta":{"m":${meta}}}`,
    );
  }));
});
