import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type Shape, shapeOf } from "../../runner/journal/shape.ts";
import { readParams } from "../../runner/server/params.ts";

/** The shape of arguments as the gateway has them. */
function shape(args: string): Shape | undefined {
  const { text, outline } = readParams(`{"name":"echo", "arguments" : ${args} }`);
  const value = outline.members.get("arguments")?.value;
  return value && shapeOf(text, value);
}

const cases: Array<[args: string, expected: Shape]> = [
  ["{}", {}],
  [
    '{"path":"/home/ada/x","opts":{"deep":true,"n":{"a":{"b":1}}},"ids":[1,[2],{}],"x":null,"n":1e3}',
    {
      path: "string(11)",
      opts: { deep: "boolean", n: { a: "object" } },
      ids: "array(3)",
      x: "null",
      n: "number",
    },
  ],
  ['{"text":"\\u00e9\\n\\"","empty":""}', { text: "string(3)", empty: "string(0)" }],
  ['{"p\\u0061th":"x"}', { path: "string(1)" }],
  ['{"__proto__":{"a":1}}', JSON.parse('{"__proto__":{"a":"number"}}') as Shape],
  ['{"inner":{"a":1,"a":2}}', { inner: "object" }],
  ['"text"', "string(4)"],
  ["[1,2]", "array(2)"],
];

for (const [args, expected] of cases) {
  test(`shapeOf() of ${args}`, () => assert.deepEqual(shape(args), expected));
}

const values = [
  "ada@example.com",
  "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
  "550e8400-e29b-41d4-a716-446655440000",
  "+4915112345678",
  "user48151623",
  "/etc/passwd",
  "a b",
  "",
  "x".repeat(41),
];

for (const key of values) {
  test(`the key ${JSON.stringify(key)} may be a value and is only counted`, () => {
    assert.deepEqual(shape(JSON.stringify({ name: 1, [key]: 2 })), {
      name: "number",
      "…": "1 more",
    });
  });
}

test("20 members of an object are shown, and 100 of all", () => {
  const wide = Object.fromEntries(Array.from({ length: 30 }, (_, n) => [`k${n}`, 1]));
  const shown = shape(JSON.stringify(wide)) as Record<string, Shape>;
  assert.equal(Object.keys(shown).length, 21);
  assert.equal(shown["…"], "10 more");
  const deep = Object.fromEntries(Array.from({ length: 20 }, (_, n) => [`d${n}`, wide]));
  assert.ok(JSON.stringify(shape(JSON.stringify(deep))).length < 3_000);
});

test("what is large is not read again to see its inside", () => {
  const list = JSON.stringify(Array.from({ length: 10_000 }, () => "x"));
  const inner = `{"a":"${"x".repeat(20_000)}"}`;
  assert.deepEqual(
    shape(`{"list":${list},"inner":{"of":${inner}},"text":"${"x".repeat(50_000)}"}`),
    {
      list: "array",
      inner: "object",
      text: "string(50000)",
    },
  );
});

test("no value of the arguments can be found in their shape", () => {
  const marked = fc.jsonValue().map((value) =>
    JSON.stringify(value, (_key, inner: unknown) => typeof inner === "string" ? `§${inner}` : inner)
  );
  fc.assert(fc.property(marked, (text) => {
    const said = JSON.stringify(shape(`{"a":${text},"b":[${text}],"c":{"d":${text}}}`));
    assert.ok(!said.includes("§"), said);
    assert.ok(said.length < 10_000);
  }));
});
