import assert from "node:assert/strict";
import { test } from "node:test";
import { mirroredValue, namedBy, paramHeaders } from "../../src/mcp/header.ts";

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

test("paramHeaders() gives the headers as they were sent, by their names in lower case", () => {
  const headers = new Headers({
    "Mcp-Param-Region": "=?base64?SGVsbG8=?=",
    "mcp-param-__proto__": "1",
    "mcp-param-": "nameless",
    "Mcp-Params": "other",
    "mcp-name": "x",
  });
  const found = paramHeaders(headers) ?? {};
  assert.deepEqual(Object.entries(found), [["__proto__", "1"], ["region", "=?base64?SGVsbG8=?="]]);
  assert.equal(paramHeaders(new Headers({ "mcp-name": "x" })), undefined);
});

const params = (count: number, value: string): Headers =>
  new Headers(
    Object.fromEntries(Array.from({ length: count }, (_, n) => [`mcp-param-${n}`, value])),
  );

test("paramHeaders() takes what the header of a frame has room for", () => {
  assert.equal(Object.keys(paramHeaders(params(64, "x".repeat(300))) ?? {}).length, 64);
  assert.equal(Object.keys(paramHeaders(params(2, "x".repeat(8 * 1024))) ?? {}).length, 2);
  const tooMuch = [
    params(65, "x"),
    params(1, "x".repeat(8 * 1024 + 1)),
    params(4, "x".repeat(8 * 1024)),
    params(2, '"'.repeat(8 * 1024)),
    new Headers([[`mcp-param-${"x".repeat(129)}`, "x"]]),
  ];
  for (const headers of tooMuch) {
    assert.throws(() => paramHeaders(headers), { code: "header_mismatch" });
  }
});
