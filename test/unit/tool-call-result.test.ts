import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { toCallerResult } from "../../runner/server/tool-call.ts";
import { MAX_DEPTH, scan } from "../../src/mcp/scan.ts";

function forCaller(result: string, protocolVersion: string): string {
  const { members } = scan(result, { keep: 1, maxDepth: MAX_DEPTH });
  return toCallerResult(result, members, protocolVersion);
}

const MODERN = "2026-07-28";

const cases: Array<[what: string, result: string, version: string, expected: string]> = [
  ["says what it is", '{"content":[]}', MODERN, '{"resultType":"complete","content":[]}'],
  ["says so when it is empty", "{}", MODERN, '{"resultType":"complete"}'],
  ["says so when it is blank", "{ }", MODERN, '{"resultType":"complete" }'],
  ["says so in a later revision", '{"a":1}', "2027-01-01", '{"resultType":"complete","a":1}'],
  ["is not told twice", '{"resultType":"x"}', MODERN, '{"resultType":"x"}'],
  ["is not told twice in escapes", '{"\\u0072esultType":1}', MODERN, '{"\\u0072esultType":1}'],
  [
    "is told beside the same word further inside",
    '{"_meta":{"resultType":1}}',
    MODERN,
    '{"resultType":"complete","_meta":{"resultType":1}}',
  ],
];

for (const [what, result, version, expected] of cases) {
  test(`the result of a modern caller ${what}`, () => {
    assert.equal(forCaller(result, version), expected);
  });
}

for (const version of ["2025-11-25", "2025-03-26", "", "tomorrow", "9"]) {
  test(`the result of a caller of "${version}" stays the server's text`, () => {
    fc.assert(fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (value) => {
      const text = JSON.stringify(value, null, 1);
      assert.equal(forCaller(text, version), text);
    }));
  });
}

test("a modern result has one resultType, and all else byte for byte", () => {
  fc.assert(fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (value) => {
    const text = JSON.stringify(value);
    const made = forCaller(text, MODERN);
    assert.ok(made.endsWith(text.slice(1)));
    assert.equal(
      (JSON.parse(made) as { resultType: unknown }).resultType,
      Object.hasOwn(value, "resultType") ? value["resultType"] : "complete",
    );
    scan(made, { keep: 1, maxDepth: MAX_DEPTH });
  }));
});
