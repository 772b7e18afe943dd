import { Buffer } from "node:buffer";
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { formsOf } from "../../runner/secrets/forms.ts";
import { createRedactor } from "../../runner/secrets/redacting.ts";
import { redactLog } from "../../runner/secrets/redact-log.ts";

/** Values as people have them, and as nobody should. */
const value = fc.oneof(
  fc.string({ minLength: 6, maxLength: 40 }),
  fc.string({ minLength: 6, maxLength: 40, unit: "grapheme" }),
  fc.string({ minLength: 6, maxLength: 40, unit: fc.constantFrom("a", "b", "+", "/", '"', "\n") }),
  fc.string({ minLength: 130, maxLength: 600 }),
).filter((text) => text.length >= 6);

const values = fc.array(value, { minLength: 1, maxLength: 4 });
const noise = fc.string({
  maxLength: 30,
  unit: fc.constantFrom("a", "b", "é", '"', "\\", "%", "=", "\n"),
});

function redactorOf(known: readonly string[]) {
  const redactor = createRedactor();
  known.forEach((one, n) => redactor.add(`s${n}`, one));
  return redactor;
}

/** What is left of a text beside the names that stand for secrets. */
function remains(text: string): readonly string[] {
  return text.split(/\[secret s\d\]/);
}

/** A text with a form of a secret in it, between other text. */
const leaking = values.chain((known) =>
  fc.record({
    known: fc.constant(known),
    parts: fc.array(
      fc.tuple(noise, fc.constantFrom(...known.flatMap((one) => [...formsOf(one)]))),
      { minLength: 1, maxLength: 5 },
    ),
  })
).map(({ known, parts }) => ({ known, text: parts.flat().join("") }));

/** `text` in parts, cut at `places`. */
function cut(text: string, places: readonly number[]): readonly string[] {
  const cuts = [
    0,
    ...places.map((at) => at % (text.length + 1)).toSorted((a, b) => a - b),
    text.length,
  ];
  return cuts.slice(1).map((end, n) => text.slice(cuts[n], end));
}

test("no form of any secret is left in a text", () => {
  fc.assert(
    fc.property(leaking, ({ known, text }) => {
      const left = remains(redactorOf(known).redact(text));
      for (const form of known.flatMap((one) => [...formsOf(one)])) {
        assert.ok(left.every((part) => !part.includes(form)), form);
      }
    }),
    { numRuns: 500 },
  );
});

test("a text in parts comes out as the whole would, wherever it is cut", () => {
  fc.assert(
    fc.property(leaking, fc.array(fc.nat(10_000), { maxLength: 40 }), ({ known, text }, places) => {
      const redactor = redactorOf(known);
      const stream = redactor.stream();
      const out = cut(text, places).map((part) => stream.push(part));
      assert.equal(out.join("") + stream.end(), redactor.redact(text));
    }),
    { numRuns: 500 },
  );
});

test("an empty part between two forms of one value changes nothing", () => {
  const value = "naïve-çedilla-ñandú";
  const forms = [encodeURIComponent(value), Buffer.from(value).toString("base64")];
  const redactor = redactorOf([value]);
  const stream = redactor.stream();
  const out = ["a", forms[0], "", forms[1], "b"].map((part) => stream.push(part ?? ""));
  assert.equal(out.join("") + stream.end(), redactor.redact(`a${forms.join("")}b`));
});

test("a text without secrets keeps every byte, whole and in parts", () => {
  fc.assert(
    fc.property(
      values,
      fc.string({ maxLength: 300, unit: "binary" }),
      fc.array(fc.nat(), { maxLength: 20 }),
      (known, text, places) => {
        fc.pre(known.every((one) => [...formsOf(one)].every((form) => !text.includes(form))));
        const redactor = redactorOf(known);
        assert.equal(redactor.redact(text), text);
        const stream = redactor.stream();
        const out = cut(text, places).map((part) => stream.push(part));
        assert.equal(out.join("") + stream.end(), text);
      },
    ),
  );
});

test("a value is found in whatever was encoded around it", () => {
  fc.assert(
    fc.property(
      value,
      fc.uint8Array({ maxLength: 5 }),
      fc.uint8Array({ maxLength: 5 }),
      (one, before, after) => {
        const redactor = redactorOf([one]);
        const bytes = Buffer.concat([before, Buffer.from(one), after]);
        for (const encoding of ["base64", "base64url", "hex"] as const) {
          const out = redactor.redact(bytes.toString(encoding));
          assert.match(out, /\[secret s0\]/, encoding);
          const room = Math.ceil((before.length + after.length + 4) * 2);
          assert.ok(out.replaceAll("[secret s0]", "").length <= room, `${encoding}: ${out}`);
        }
      },
    ),
  );
});

test("a value is found as the writers of other languages spell it", () => {
  const redactor = redactorOf(["pä/ss w+rd&<1>"]);
  for (
    const text of [
      String.raw`p\u00e4/ss w+rd&<1>`, // Python's json
      String.raw`p\u00e4\/ss w+rd&<1>`, // PHP's json_encode
      String.raw`pä/ss w+rd\u0026\u003c1\u003e`, // Go's encoding/json
      String.raw`p\u00E4/ss w\u002Brd\u0026\u003C1\u003E`, // System.Text.Json
      "p%C3%A4%2Fss%20w%2Brd%26%3C1%3E", // encodeURIComponent
      "p%c3%a4%2fss%20w%2brd%26%3c1%3e",
      "p%C3%A4/ss%20w%2Brd%26%3C1%3E", // Python's quote
      "p%C3%A4%2Fss+w%2Brd%26%3C1%3E", // URLSearchParams
      "p%C3%A4/ss%20w+rd&%3C1%3E", // encodeURI
      "70c3a42f737320772b7264263c313e",
      "70C3A42F737320772B7264263C313E",
    ]
  ) assert.equal(redactor.redact(`(${text})`), "([secret s0])", text);
});

test("each line of a key counts, its frame does not", () => {
  const redactor = redactorOf([
    "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBg\r\nkqhkiG9w0BAQEF\n-----END PRIVATE KEY-----\n",
  ]);
  assert.equal(redactor.redact("line 2: kqhkiG9w0BAQEF"), "line 2: [secret s0]");
  assert.equal(redactor.redact("-----BEGIN PRIVATE KEY-----"), "-----BEGIN PRIVATE KEY-----");
});

test("of values that overlap nothing is left, and the longer one is named", () => {
  const redactor = redactorOf(["abcdef", "abcdefgh", "efghij"]);
  assert.equal(redactor.redact("-abcdefgh-"), "-[secret s1]-");
  assert.equal(redactor.redact("-abcdefghij-"), "-[secret s1][secret s2]-");
});

test("a stream gives out at once what can be no begin of a secret", () => {
  const stream = redactorOf(["hunter2secret"]).stream();
  assert.equal(stream.push("a line\nthe password is hun"), "a line\nthe password is ");
  assert.equal(stream.push("ter2sec"), "");
  assert.equal(stream.push("ret!"), "[secret s0]!");
  assert.equal(stream.push("hunter"), "");
  assert.equal(stream.end(), "hunter");
});

test("a value that is added later is taken out from then on", () => {
  const redactor = redactorOf(["first-value"]);
  const stream = redactor.stream();
  assert.equal(stream.push("first-value second-value\n"), "[secret s0] second-value\n");
  redactor.add("s1", "second-value");
  assert.equal(stream.push("first-value second-value\n"), "[secret s0] [secret s1]\n");
});

test("values that are too short are let through, and said once", () => {
  const told: string[] = [];
  const redactor = createRedactor({ onShort: (name) => told.push(name) });
  redactor.add("pin", "12345");
  redactor.add("pin", "54321");
  assert.equal(redactor.redact("12345"), "12345");
  assert.deepEqual(told, ["pin"]);
});

test("of a name with ever new values the latest are known", () => {
  const redactor = createRedactor();
  for (let n = 0; n < 132; n++) redactor.add("token", `token-number-${n}-`);
  assert.equal(redactor.redact("token-number-131-"), "[secret token]");
  assert.equal(redactor.redact("token-number-32-"), "[secret token]");
  assert.equal(redactor.redact("token-number-31-"), "token-number-31-");
});

test("a log has no secrets in messages and fields", () => {
  const lines: unknown[] = [];
  const log = redactLog((...line) => lines.push(line), redactorOf(["hunter2secret"]));
  log("info", "it is hunter2secret");
  log("warn", "see", { stderr: "hunter2secret", exit: 1, gone: undefined });
  assert.deepEqual(lines, [
    ["info", "it is [secret s0]"],
    ["warn", "see", { stderr: "[secret s0]", exit: 1, gone: undefined }],
  ]);
});
