import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { matchesTemplate } from "../../src/mcp/uri-template.ts";

const cases: ReadonlyArray<
  readonly [template: string, matching: readonly string[], other: readonly string[]]
> = [
  ["notes://today", ["notes://today"], ["notes://today/", "notes://toda", ""]],
  ["test://template/{id}/data", ["test://template/7/data", "test://template/a%2Fb/data"], [
    "test://template//data",
    "test://template/7/8/data",
    "test://template/7/dat",
    "test://template/7/data/",
    "best://template/7/data",
  ]],
  ["file:///{path}", ["file:///a", "file:///a.txt"], ["file:///", "file:///a/b"]],
  ["file:///{+path}", ["file:///a", "file:///a/b/c.txt"], ["files:///a"]],
  ["a://{x}-{y}", ["a://1-2", "a://1-2-3", "a://--2"], ["a://1", "a://-2", "a://1-", "a://1/x-2"]],
  ["a://s{?q,lang}", ["a://s", "a://s?q=x/y&lang=z"], ["a://"]],
  ["a://s{/dirs*}/end", ["a://s/end", "a://s/x/y/end"], ["a://s/x/y"]],
  ["a://s{#part}", ["a://s", "a://s#1/2"], ["a://"]],
  ["{+all}", ["a://b/c"], []],
  ["a://{unclosed", ["a://{unclosed"], ["a://x"]],
  ["a://{x}b{y}b", ["a://xbyb", "a://bbbb"], ["a://bb", "a://xb"]],
  ["a://(.*)+$", ["a://(.*)+$"], ["a://x"]],
];

for (const [template, matching, other] of cases) {
  test(`matchesTemplate() knows what ${template} stands for`, () => {
    for (const uri of matching) assert.ok(matchesTemplate(template, uri), uri);
    for (const uri of other) assert.ok(!matchesTemplate(template, uri), uri);
  });
}

test("matchesTemplate() finds every expansion of simple expressions", () => {
  const literal = fc.stringMatching(/^[a-c/]{0,4}$/);
  const value = fc.stringMatching(/^[a-c]{1,4}$/);
  fc.assert(
    fc.property(fc.array(fc.tuple(literal, value), { maxLength: 6 }), literal, (parts, end) => {
      const template = parts.map(([text]) => `${text}{x}`).join("") + end;
      const uri = parts.map(([text, filled]) => text + filled).join("") + end;
      assert.ok(matchesTemplate(template, uri), `${template} ${uri}`);
    }),
  );
});

test("matchesTemplate() is quick for templates and URIs that would make a pattern try for ever", () => {
  const uri = `a://${"a".repeat(8_000)}!`;
  const started = performance.now();
  assert.equal(matchesTemplate(`a://${"{a}a".repeat(30)}b`, uri), false);
  assert.equal(matchesTemplate(`a://${"{+a}{b}".repeat(16)}b`, uri), false);
  assert.ok(performance.now() - started < 1_000);
});

test("matchesTemplate() takes no template of more than 32 expressions", () => {
  assert.equal(matchesTemplate(`a://${"{+a}".repeat(32)}`, "a://x"), true);
  assert.equal(matchesTemplate(`a://${"{+a}".repeat(33)}`, "a://x"), false);
});
