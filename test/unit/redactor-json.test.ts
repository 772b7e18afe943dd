import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { createRedactor } from "../../runner/secrets/redacting.ts";
import { redactJson } from "../../runner/secrets/redact-json.ts";

function redactorOf(...known: readonly string[]) {
  const redactor = createRedactor();
  known.forEach((one, n) => redactor.add(`s${n}`, one));
  return redactor;
}

/** Values that are dangerous in JSON: digits, quotes, what could be the rest of an escape. */
const value = fc.oneof(
  fc.string({ minLength: 6, maxLength: 20 }),
  fc.string({ minLength: 6, maxLength: 12, unit: fc.constantFrom(..."1234567890") }),
  fc.string({ minLength: 6, maxLength: 12, unit: fc.constantFrom(...'nut0e9\\",:{}[]') }),
);

/** Where a text is spelled in an odd way. */
const oddities = fc.array(fc.nat(100), { maxLength: 30 });

/** JSON as other writers spell it: any character of a string may be an escape, any white space between. */
function spell(json: unknown, oddities: readonly number[]): string {
  let n = 0;
  const odd = (at: number) => oddities[at % oddities.length] ?? 1;
  const text = (one: string) =>
    `"${
      Array.from({ length: one.length }, (_, at) => {
        const code = one.charCodeAt(at);
        const plain = JSON.stringify(one.slice(at, at + 1)).slice(1, -1);
        return odd(n++) % 4 === 0 ? `\\u${code.toString(16).padStart(4, "0")}` : plain;
      }).join("")
    }"`;
  const space = () => odd(n++) % 5 === 0 ? " \n" : "";
  const write = (one: unknown): string => {
    if (typeof one === "string") return text(one);
    if (Array.isArray(one)) return `[${space()}${one.map(write).join(",")}${space()}]`;
    if (typeof one !== "object" || one === null) return JSON.stringify(one);
    const members = Object.entries(one).map(([key, member]) =>
      `${text(key)}${space()}:${space()}${write(member)}`
    );
    return `{${members.join(",")}}`;
  };
  return write(json);
}

/** All strings and numbers of a JSON value, as text. */
function leaves(json: unknown): readonly string[] {
  if (typeof json !== "object" || json === null) return [String(json)];
  if (Array.isArray(json)) return json.flatMap(leaves);
  return Object.entries(json).flatMap(([key, member]) => [key, ...leaves(member)]);
}

/** A JSON value with secrets within its strings, keys and numbers. */
const document = fc.array(value, { minLength: 1, maxLength: 3 }).chain((known) => {
  const secret = fc.constantFrom(...known);
  const around = fc.string({ maxLength: 8, unit: fc.constantFrom(...'nu0a"\\\n/') });
  const held = fc.tuple(around, secret, around).map((parts) => parts.join(""));
  const leaf = fc.oneof(held, around, secret.map((one) => Number(one) || 0), fc.boolean());
  const { json } = fc.letrec((tie) => ({
    json: fc.oneof(
      { maxDepth: 3, depthSize: "small" },
      leaf,
      fc.array(tie("json"), { maxLength: 4 }),
      fc.dictionary(fc.oneof(held, around), tie("json"), { maxKeys: 4, noNullPrototype: true }),
    ),
  }));
  return fc.record({ known: fc.constant(known), json });
});

test("JSON stays JSON, and no string, key or number of it has a secret", () => {
  fc.assert(
    fc.property(document, oddities, ({ known, json }, odd) => {
      const out = redactJson(spell(json, odd), redactorOf(...known));
      for (const leaf of leaves(JSON.parse(out))) {
        for (const part of leaf.split(/\[secret s\d\]/)) {
          for (const one of known) assert.ok(!part.includes(one), `${one} in ${out}`);
        }
      }
    }),
    { numRuns: 1_000 },
  );
});

test("JSON without secrets keeps every byte, in every spelling", () => {
  fc.assert(
    fc.property(fc.jsonValue(), value, oddities, (json, one, odd) => {
      fc.pre(leaves(json).every((leaf) => !leaf.includes(one.slice(0, 3))));
      const text = spell(json, odd);
      assert.equal(redactJson(text, redactorOf(one)), text);
    }),
  );
});

test("what is beside a secret keeps its bytes", () => {
  const text = String.raw`{ "a":1.0e2, "b":[ "x\u0041", "key=hunter2secret" ] }`;
  assert.equal(
    redactJson(text, redactorOf("hunter2secret")),
    String.raw`{ "a":1.0e2, "b":[ "x\u0041", "key=[secret s0]" ] }`,
  );
});

test("a number becomes a string", () => {
  assert.equal(
    redactJson(`{"pin":123456,"n":12345}`, redactorOf("123456")),
    `{"pin":"[secret s0]","n":12345}`,
  );
});

test("a secret that begins with the letter of an escape is no part of that escape", () => {
  assert.equal(
    redactJson(String.raw`["\nabcdef","nabcde"]`, redactorOf("nabcde")),
    String.raw`["\nabcdef","[secret s0]"]`,
  );
});

test("JSON within a string of JSON is looked through", () => {
  const secret = 'quo"ted/secret';
  const text = JSON.stringify({ text: JSON.stringify({ token: secret }) });
  assert.equal(
    redactJson(text, redactorOf(secret)),
    JSON.stringify({ text: '{"token":"[secret s0]"}' }),
  );
});

test("what is no JSON is redacted all the same", () => {
  const redactor = redactorOf("hunter2secret");
  for (
    const text of ['"hunter2secret', "hunter2secret", '{"a":"hunter2secret\\', "\\u hunter2secret"]
  ) {
    assert.doesNotMatch(redactJson(text, redactor), /hunter2secret/);
  }
});
