import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { DENY_ALL, isAllowed } from "../../src/policy/allowlist.ts";
import { matches } from "../../src/policy/pattern.ts";

const cases: Array<[pattern: string, name: string, expected: boolean]> = [
  ["echo", "echo", true],
  ["echo", "Echo", false],
  ["echo", "echoes", false],
  ["get-*", "get-sum", true],
  ["get-*", "get-", true],
  ["get-*", "forget-sum", false],
  ["*", "", true],
  ["*_issue*", "create_issue_comment", true],
  ["?cho", "echo", true],
  ["?cho", "cho", false],
  ["a*b*c", "aXbXbc", true],
  ["a*b*c", "aXbXb", false],
  [".*", "echo", false],
  ["[a-z]*", "echo", false],
  ["", "", true],
  ["", "x", false],
];

for (const [pattern, name, expected] of cases) {
  test(`matches() says ${expected} for pattern "${pattern}" and name "${name}"`, () => {
    assert.equal(matches(pattern, name), expected);
  });
}

test("matches() agrees with the same pattern as a regular expression", () => {
  const letters = (alphabet: string) =>
    fc.string({ unit: fc.constantFrom(...alphabet), maxLength: 8 });
  fc.assert(fc.property(letters("ab*?"), letters("ab"), (pattern, name) => {
    const regex = new RegExp(`^${pattern.replaceAll("*", ".*").replaceAll("?", ".")}$`);
    assert.equal(matches(pattern, name), regex.test(name));
  }));
});

test("matches() answers a pattern made to backtrack in a bounded number of steps", () => {
  assert.equal(matches(`${"a*".repeat(64)}b`, "a".repeat(5_000)), false);
});

test("isAllowed() lets through only what is allowed and not denied", () => {
  const rules = { allow: ["get-*", "echo"], deny: ["get-env"] };
  assert.equal(isAllowed(rules, "get-sum"), true);
  assert.equal(isAllowed(rules, "echo"), true);
  assert.equal(isAllowed(rules, "get-env"), false);
  assert.equal(isAllowed(rules, "delete"), false);
  assert.equal(isAllowed(DENY_ALL, "echo"), false);
});
