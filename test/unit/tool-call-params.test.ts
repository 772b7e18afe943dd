import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { readCallParams, toServerParams } from "../../runner/server/tool-call.ts";

function served(text: string, tool = "echo", id = 7): string {
  return toServerParams(readCallParams(text), tool, id);
}

const cases: Array<[what: string, params: string, expected: string]> = [
  ["the name is the server's own", '{"name":"s__echo"}', '{"name":"echo"}'],
  [
    "all else keeps its bytes and its place",
    '{ "arguments" : { "n": 1.0, "s":"\\u0041" } , "name":"s__echo", "task":{"ttl":1e3}}',
    '{"arguments" : { "n": 1.0, "s":"\\u0041" },"name":"echo","task":{"ttl":1e3}}',
  ],
  [
    "a name in escapes is replaced, not doubled",
    '{"n\\u0061me":"s__echo"}',
    '{"name":"echo"}',
  ],
  [
    "the envelope of the modern revision is dropped",
    '{"name":"s__echo","_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28",' +
    '"io.modelcontextprotocol/clientCapabilities":{},"io.modelcontextprotocol/later":1}}',
    '{"name":"echo"}',
  ],
  [
    "a reserved key in escapes is dropped, too",
    '{"name":"s__echo","_meta":{"io\\u002emodelcontextprotocol/clientInfo":{}}}',
    '{"name":"echo"}',
  ],
  [
    "other _meta is kept",
    '{"name":"s__echo","_meta":{"example.com/trace" : "a","io.modelcontextprotocol/x":1}}',
    '{"name":"echo","_meta":{"example.com/trace" : "a"}}',
  ],
  [
    "a key that only looks reserved is kept",
    '{"name":"s__echo","_meta":{"io.modelcontextprotocol":1,"IO.modelcontextprotocol/x":2}}',
    '{"name":"echo","_meta":{"io.modelcontextprotocol":1,"IO.modelcontextprotocol/x":2}}',
  ],
  [
    "reserved keys outside of params._meta are not ours to change",
    '{"name":"s__echo","arguments":{"_meta":{"io.modelcontextprotocol/x":1,"progressToken":"t"}}}',
    '{"name":"echo","arguments":{"_meta":{"io.modelcontextprotocol/x":1,"progressToken":"t"}}}',
  ],
  ["_meta that is no object is dropped", '{"name":"s__echo","_meta":[1]}', '{"name":"echo"}'],
  [
    "a progress token becomes our request id",
    '{"name":"s__echo","_meta":{"a":1,"progressToken":"t1"}}',
    '{"name":"echo","_meta":{"a":1,"progressToken":7}}',
  ],
  [
    "no progress is asked for that the caller did not ask for",
    '{"name":"s__echo","_meta":{"a":1}}',
    '{"name":"echo","_meta":{"a":1}}',
  ],
  [
    "keys of the object prototype are plain members",
    '{"name":"s__echo","__proto__":{"x":1},"_meta":{"__proto__":1,"toString":2}}',
    '{"name":"echo","__proto__":{"x":1},"_meta":{"__proto__":1,"toString":2}}',
  ],
];

for (const [what, params, expected] of cases) {
  test(`toServerParams(): ${what}`, () => assert.equal(served(params), expected));
}

test("toServerParams() keeps the text of arguments and of unknown members, whatever they are", () => {
  const text = fc.jsonValue().map((value) => JSON.stringify(value, null, 1));
  fc.assert(fc.property(text, text, text, (args, unknown, meta) => {
    const params = `{"arguments":${args},"name":"s__echo","x":${unknown},"_meta":{"m":${meta}}}`;
    assert.equal(
      served(params),
      `{"arguments":${args},"name":"echo","x":${unknown},"_meta":{"m":${meta}}}`,
    );
  }));
});

test("toServerParams() writes a tool's name so that it is read back as it is", () => {
  fc.assert(fc.property(fc.string({ unit: "binary" }), (tool) => {
    const params = JSON.parse(served('{"name":"s__x"}', tool)) as { name: string };
    assert.equal(params.name, tool);
  }));
});
