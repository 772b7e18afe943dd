import assert from "node:assert/strict";
import { test } from "node:test";
import { isUsable } from "../../runner/server/lists.ts";
import { faultOf } from "../../runner/policy/entry-fault.ts";
import type { OfferedList } from "../../src/mcp/offer.ts";
import { MAX_SERVER_DEPTH, scan } from "../../src/mcp/scan.ts";

function fault(name: string, inputSchema: unknown = {}, list: OfferedList = "tools") {
  const raw = JSON.stringify({ name, inputSchema });
  return faultOf(list, name, { raw, root: scan(raw, { keep: 1, maxDepth: MAX_SERVER_DEPTH }) });
}

/** A schema of `depth` levels. */
function deep(depth: number): unknown {
  return depth === 1 ? {} : { properties: deep(depth - 1) };
}

for (const name of ["x", "x".repeat(128), "a.b-c_D/9", "Gmail: Send", "a,b", "a..b"]) {
  test(`a tool may be called ${JSON.stringify(name.slice(0, 20))}`, () => {
    assert.equal(fault(name), undefined);
  });
}

const names: ReadonlyArray<readonly [name: string, why: RegExp]> = [
  ["x".repeat(129), /more than 128 characters/],
  [" ", /space/],
  [" x", /space/],
  ["x ", /space/],
  ["../x", /"\.\."/],
  ["a/../b", /"\.\."/],
  ["a\\..\\b", /"\.\."/],
  ["..", /"\.\."/],
  ["p\u0430y", /may look like another one \(U\+0430\)/],
  ["\uff45cho", /U\+FF45/],
  ["x\u200b", /nobody sees/],
  ["x\u{e0041}", /nobody sees/],
  ["x\u202e", /nobody sees/],
  ["x\n", /nobody sees/],
  ["x\u0000", /nobody sees/],
  ["x\u001b[2J", /nobody sees/],
];

for (const [name, why] of names) {
  test(`a tool called ${JSON.stringify(name.slice(0, 20))} is left out, and the reason is told`, () => {
    assert.match(fault(name) ?? "", why);
  });
}

test("prompts and resources may be called in any script, and hide nothing", () => {
  assert.equal(fault("Zusammenfassung ä", {}, "prompts"), undefined);
  assert.equal(fault("file:///текст", {}, "resources"), undefined);
  assert.match(fault("x\u200by", {}, "prompts") ?? "", /nobody sees/);
  assert.match(fault("שלום\u200f", {}, "prompts") ?? "", /nobody sees/);
});

test("a schema may be 64 deep", () => {
  assert.equal(fault("x", deep(64)), undefined);
  assert.match(fault("x", deep(65)) ?? "", /more than 64 deep/);
});

test("a schema of 10,000 levels is left out before anything follows it down", () => {
  const raw = `{"name":"x","inputSchema":${'{"a":'.repeat(10_000)}1${"}".repeat(10_000)}}`;
  assert.equal(isUsable("tools", { key: "x", raw }), false);
});

test("a schema may have 256 Ki characters, of results too", () => {
  assert.equal(fault("x", { a: "x".repeat(250 * 1024) }), undefined);
  assert.match(fault("x", { a: "x".repeat(256 * 1024) }) ?? "", /inputSchema of more than/);
  const raw = JSON.stringify({
    name: "x",
    inputSchema: {},
    outputSchema: { a: "x".repeat(5_000_000) },
  });
  const root = scan(raw, { keep: 1, maxDepth: MAX_SERVER_DEPTH });
  assert.match(faultOf("tools", "x", { raw, root }) ?? "", /outputSchema of more than/);
});

const elsewhere = [
  "http://example.com/schema.json",
  "https://example.com/schema.json#/a",
  "HTTPS://example.com",
  " https://example.com",
  "//example.com/schema.json",
  "\\\\example.com\\schema.json",
  "file:///etc/passwd",
  "ftp://example.com/x",
  "javascript:1",
  "/\\example.com/x",
  "ht\ntps://example.com/x",
];

for (const to of elsewhere) {
  test(`a schema that refers to ${to} is left out, and nobody fetches it`, () => {
    for (const key of ["$ref", "$dynamicRef"]) {
      const schema = { properties: { a: { anyOf: [{ [key]: to }] } } };
      assert.match(fault("x", schema) ?? "", /\$ref to another place/);
    }
  });
}

test("a parameter may be called as what holds a value, and hides no reference", () => {
  for (const name of ["default", "const", "enum", "examples", "properties"]) {
    const schema = { properties: { [name]: { items: { $ref: "https://example.com" } } } };
    assert.match(fault("x", schema) ?? "", /\$ref to another place/, name);
  }
});

test("a schema of results is an object, or not there", () => {
  for (const [outputSchema, isFine] of [["x", false], [[], false], [true, false], [null, true]]) {
    const raw = JSON.stringify({ name: "x", inputSchema: {}, outputSchema });
    assert.equal(isUsable("tools", { key: "x", raw }), isFine);
  }
});

test("references in escapes are found", () => {
  const raw = '{"name":"x","inputSchema":{"\\u0024r\\u0065f":"\\u0068ttp://example.com"}}';
  const root = scan(raw, { keep: 1, maxDepth: MAX_SERVER_DEPTH });
  assert.match(faultOf("tools", "x", { raw, root }) ?? "", /\$ref/);
});

test("references within a schema, in a circle too, are the client's to follow", () => {
  const schema = {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    $id: "https://example.com/x",
    $defs: { a: { $ref: "#/$defs/b" }, b: { $ref: "#/$defs/a" } },
    $ref: "#/$defs/a",
    properties: { $ref: { type: "string" }, b: { default: { $ref: "https://example.com" } } },
  };
  assert.equal(fault("x", schema), undefined);
});

test("no pattern is compiled, however long it would run", () => {
  const started = performance.now();
  assert.equal(fault("a", { pattern: "^(a+)+$", properties: { b: { pattern: "(" } } }), undefined);
  assert.ok(performance.now() - started < 100);
});
