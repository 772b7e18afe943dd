import assert from "node:assert/strict";
import { test } from "node:test";
import { mirroredValue, namedBy } from "../../src/mcp/header.ts";

const cases: Array<[why: string, header: string | null, value: string | undefined]> = [
  ["a plain value is itself", "everything__echo", "everything__echo"],
  ["space around a value does not count", "  echo\t", "echo"],
  ["a sentinel is decoded", "=?base64?SGVsbG8=?=", "Hello"],
  ["a sentinel may hold any UTF-8", "=?base64?w6TwnZSF?=", "ä𝔅"],
  ["missing padding is refused", "=?base64?SGVsbG8?=", undefined],
  ["foreign characters are refused", "=?base64?SGVs!!!bG8=?=", undefined],
  ["bytes that are not UTF-8 are refused", "=?base64?/w==?=", undefined],
  ["an incomplete wrapper is a literal", "=?base64?SGVsbG8=", "=?base64?SGVsbG8="],
  ["bytes beyond ASCII are refused", "\u00e9cho", undefined],
  ["an absent header has no value", null, undefined],
];

for (const [why, header, value] of cases) {
  test(`mirroredValue(): ${why}`, () => assert.equal(mirroredValue(header), value));
}

test("namedBy() knows which member the name header repeats", () => {
  assert.equal(namedBy("tools/call"), "name");
  assert.equal(namedBy("resources/read"), "uri");
  assert.equal(namedBy("tools/list"), undefined);
});
