import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { readAnnotations } from "../../runner/upstream/annotation.ts";
import { readOutgoing } from "../../runner/upstream/line.ts";
import { mirrored, standardHeaders } from "../../runner/upstream/mirror.ts";
import { ParamHeaders } from "../../runner/upstream/param-headers.ts";
import { mirroredValue } from "../../src/mcp/header.ts";
import { modern } from "../support/upstream.ts";

test("mirrored() leaves what a header may carry as it is", () => {
  for (const value of ["us-west1", "a b", "file:///x?y=z", "=?base64?abc"]) {
    assert.equal(mirrored(value), value);
  }
});

test("mirrored() encodes what no header may carry", () => {
  const encoded: readonly (readonly [string, string])[] = [
    ["Hello, 世界", "=?base64?SGVsbG8sIOS4lueVjA==?="],
    [" padded ", "=?base64?IHBhZGRlZCA=?="],
    ["line1\nline2", "=?base64?bGluZTEKbGluZTI=?="],
    ["=?base64?literal?=", "=?base64?PT9iYXNlNjQ/bGl0ZXJhbD89?="],
    ["", "=?base64??="],
  ];
  for (const [value, header] of encoded) assert.equal(mirrored(value), header);
});

test("mirrored() gives what mirroredValue() reads back, for every text", () => {
  fc.assert(fc.property(fc.string({ unit: "binary" }), (value) => {
    // A lone surrogate has no UTF-8.
    fc.pre(value.isWellFormed());
    assert.equal(mirroredValue(mirrored(value)), value);
  }));
});

test("standardHeaders() repeats the version, the method, and what the method names", () => {
  const headersOf = (method: string, params: object): object =>
    standardHeaders(readOutgoing(JSON.stringify(modern(1, method, params))));
  const version = { "mcp-protocol-version": "2026-07-28" };
  assert.deepEqual(headersOf("tools/call", { name: "a" }), {
    ...version,
    "mcp-method": "tools/call",
    "mcp-name": "a",
  });
  assert.deepEqual(headersOf("resources/read", { uri: "x://ü" }), {
    ...version,
    "mcp-method": "resources/read",
    "mcp-name": "=?base64?eDovL8O8?=",
  });
  assert.deepEqual(headersOf("tasks/get", { taskId: "t" }), {
    ...version,
    "mcp-method": "tasks/get",
    "mcp-name": "t",
  });
  assert.deepEqual(headersOf("tools/list", { name: "a" }), {
    ...version,
    "mcp-method": "tools/list",
  });
});

const string = (header: unknown): object => ({ type: "string", "x-mcp-header": header });

test("readAnnotations() finds annotations at any depth of properties", () => {
  const schema = {
    type: "object",
    properties: {
      region: string("Region"),
      deep: { type: "object", properties: { n: { type: "integer", "x-mcp-header": "N" } } },
      plain: { type: "string" },
    },
  };
  assert.deepEqual(readAnnotations(schema), [
    { path: ["region"], header: "Region" },
    { path: ["deep", "n"], header: "N" },
  ]);
});

test("readAnnotations() takes names and data for what they are", () => {
  const schema = {
    type: "object",
    properties: { "x-mcp-header": { type: "string", default: { "x-mcp-header": "no" } } },
    examples: [{ "x-mcp-header": "no" }],
  };
  assert.deepEqual(readAnnotations(schema), []);
});

const WRONG: readonly (readonly [why: string, schema: object])[] = [
  ["an empty name", { properties: { a: string("") } }],
  ["a name that is no text", { properties: { a: string(1) } }],
  ["a name with a space", { properties: { a: string("a b") } }],
  ["a name with a line break", { properties: { a: string("a\r\nb") } }],
  ["the same name in another case", { properties: { a: string("N"), b: string("n") } }],
  ["a number", { properties: { a: { type: "number", "x-mcp-header": "A" } } }],
  ["an object", { properties: { a: { type: "object", "x-mcp-header": "A" } } }],
  ["no type", { properties: { a: { "x-mcp-header": "A" } } }],
  ["the root", string("A")],
  ["items", { properties: { a: { type: "array", items: string("A") } } }],
  ["a composition", { anyOf: [{ properties: { a: string("A") } }] }],
  ["a definition", { $defs: { a: string("A") } }],
  ["an unknown keyword", { later: { properties: { a: string("A") } } }],
];

for (const [why, schema] of WRONG) {
  test(`readAnnotations() refuses an annotation on ${why}`, () => {
    assert.equal(typeof readAnnotations(schema), "string");
  });
}

function listed(...tools: readonly object[]): string {
  return JSON.stringify({ jsonrpc: "2.0", id: 1, result: { tools, ttlMs: 1 } });
}

function toolOf(name: string, properties: object): object {
  return { name, inputSchema: { type: "object", properties } };
}

test("ParamHeaders gives the headers of a call as the last list says", () => {
  const params = new ParamHeaders();
  const line = listed(toolOf("a", {
    s: string("S"),
    b: { type: "boolean", "x-mcp-header": "B" },
    o: { type: "object", properties: { n: { type: "integer", "x-mcp-header": "O-N" } } },
  }));
  params.learn(line);
  const headersOf = (name: string, args?: unknown): object =>
    params.of(readOutgoing(JSON.stringify(modern(1, "tools/call", { name, arguments: args }))));
  assert.deepEqual(headersOf("a", { s: "ü", b: true, o: { n: 42.0 } }), {
    "mcp-param-s": "=?base64?w7w=?=",
    "mcp-param-b": "true",
    "mcp-param-o-n": "42",
  });
  assert.deepEqual(headersOf("a", { s: null, b: [], o: {} }), {});
  assert.deepEqual(headersOf("a", { o: { n: 2 ** 60 } }), {});
  assert.deepEqual(headersOf("a"), {});
  assert.deepEqual(headersOf("other", { s: "x" }), {});

  params.learn(listed(toolOf("a", { s: { type: "string" } })));
  assert.deepEqual(headersOf("a", { s: "x" }), {});
});

test("ParamHeaders gives no headers for a tool with wrong annotations, also if it had good ones", () => {
  const params = new ParamHeaders();
  const headersOf = (name: string): object =>
    params.of(
      readOutgoing(JSON.stringify(modern(1, "tools/call", { name, arguments: { s: "x" } }))),
    );
  params.learn(listed(toolOf("a", { s: string("S") }), toolOf("b", { s: string("S") })));
  assert.deepEqual(headersOf("a"), { "mcp-param-s": "x" });
  params.learn(
    listed(toolOf("a", { s: string("S"), t: string("s") }), toolOf("b", { s: string("T") })),
  );
  assert.deepEqual(headersOf("a"), {});
  assert.deepEqual(headersOf("b"), { "mcp-param-t": "x" });
});

test("ParamHeaders does not outline arguments that nobody could have meant", () => {
  const params = new ParamHeaders();
  params.learn(listed(toolOf("a", { o: { type: "object", properties: { s: string("S") } } })));
  const many = Array.from({ length: 100_001 }, () => ({}));
  const line = readOutgoing(
    JSON.stringify(modern(1, "tools/call", { name: "a", arguments: { o: { s: "x" }, many } })),
  );
  assert.throws(() => params.of(line), { code: "invalid_request" });
});
