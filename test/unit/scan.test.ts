import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  MAX_DEPTH,
  type Outline,
  rawMember,
  scan,
  spliceObject,
  stringMember,
} from "../../src/mcp/scan.ts";

const whole = { keep: 9, maxDepth: MAX_DEPTH };

function isValid(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function accepts(text: string): boolean {
  try {
    scan(text, { keep: 0, maxDepth: MAX_DEPTH });
    return true;
  } catch {
    return false;
  }
}

test("scan() accepts every JSON text and outlines where its members stand", () => {
  fc.assert(fc.property(fc.jsonValue({ maxDepth: 6 }), fc.nat(3), (value, indent) => {
    const text = JSON.stringify(value, null, indent);
    const outline = scan(text, whole);
    assert.deepEqual(rebuild(text, outline), JSON.parse(text));
  }));
});

test("scan() accepts exactly what JSON.parse() accepts, for texts with a few bytes changed", () => {
  const edit = fc.record({
    at: fc.nat(),
    text: fc.constantFrom(...'{}[]",:\\u0eE+-.19 \n\ttnfx\u0000', "", "null", "\\ud800", '"a":1,'),
    drop: fc.nat(2),
  });
  fc.assert(
    fc.property(fc.json({ maxDepth: 4 }), fc.array(edit, { maxLength: 3 }), (json, edits) => {
      let text = json;
      for (const { at, text: insert, drop } of edits) {
        const from = at % (text.length + 1);
        text = text.slice(0, from) + insert + text.slice(from + drop);
      }
      assert.equal(accepts(text), isValid(text), JSON.stringify(text));
    }),
    { numRuns: 3000 },
  );
});

const refused: Array<[why: string, text: string, code: string]> = [
  ["an empty text", "", "malformed_json"],
  ["a truncated text", '{"a":[1,2', "malformed_json"],
  ["text after the value", "{} {}", "malformed_json"],
  ["a byte order mark", "\ufeff{}", "malformed_json"],
  ["a raw control character in a string", '"a\u0001"', "malformed_json"],
  ["a number with a leading zero", "01", "malformed_json"],
  ["nesting beyond the limit", "[".repeat(65) + "]".repeat(65), "too_deep"],
  ["nesting far beyond the limit", "[".repeat(1_000_000), "too_deep"],
  ["a repeated key", '{"name":"a","name":"b"}', "invalid_request"],
  ["a key repeated in another spelling", '{"name":"a","n\\u0061me":"b"}', "invalid_request"],
];

for (const [why, text, code] of refused) {
  test(`scan() refuses ${why}`, () => {
    assert.throws(() => scan(text, whole), { name: "GatewayError", code });
  });
}

test("scan() accepts nesting up to the limit", () => {
  assert.equal(accepts("[".repeat(64) + "]".repeat(64)), true);
});

test("scan() keeps `__proto__` as a plain member", () => {
  const text = '{"__proto__":{"polluted":1},"constructor":2}';
  const outline = scan(text, whole);
  assert.equal(rawMember(text, outline, "__proto__"), '{"polluted":1}');
  assert.equal(rawMember(text, outline, "constructor"), "2");
  assert.equal(rawMember(text, outline, "toString"), undefined);
  assert.equal(Object.hasOwn(Object.prototype, "polluted"), false);
});

test("stringMember() reads escapes and ignores members of other kinds", () => {
  const text = '{"a":"\\u0061\\n","b":1}';
  const outline = scan(text, whole);
  assert.equal(stringMember(text, outline, "a"), "a\n");
  assert.equal(stringMember(text, outline, "b"), undefined);
});

test("spliceObject() changes the named members and leaves the bytes of all others", () => {
  const text = '{ "a" : 1.0, "b":{"x" : [ 1 ]} ,"c":"\\u0041"}';
  const spliced = spliceObject(text, scan(text, whole), { a: null, b: '"new"', d: "{}" });
  assert.equal(spliced, '{"b":"new","c":"\\u0041","d":{}}');
});

test("spliceObject() without changes keeps the value of every object", () => {
  fc.assert(fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (value) => {
    const text = JSON.stringify(value);
    assert.deepEqual(
      JSON.parse(spliceObject(text, scan(text, whole), {})),
      JSON.parse(text),
    );
  }));
});

/** The value, put together from the outline as far as that goes. */
function rebuild(text: string, outline: Outline): unknown {
  if (outline.kind === "array" && outline.elements.length > 0) {
    return outline.elements.map((element) => rebuild(text, element));
  }
  if (outline.kind === "object" && outline.members.size > 0) {
    return Object.fromEntries(
      [...outline.members].map(([key, { value }]) => [key, rebuild(text, value)]),
    );
  }
  return JSON.parse(text.slice(outline.start, outline.end));
}
