import assert from "node:assert/strict";
import { test } from "node:test";
import {
  cleanEntry,
  cleanInstructions,
  MAX_DESCRIPTION_LENGTH,
  MAX_ICON_LENGTH,
  MAX_INSTRUCTIONS_LENGTH,
} from "../../runner/policy/entry-text.ts";

function clean(raw: string | object) {
  return cleanEntry({ key: "t", raw: typeof raw === "string" ? raw : JSON.stringify(raw) });
}

/** The member of the entry as clients get it. */
function seen(entry: object): Readonly<Record<string, unknown>> {
  return JSON.parse(clean(entry).raw) as Readonly<Record<string, unknown>>;
}

test("an entry with nothing to take out stays as its server wrote it, byte for byte", () => {
  const raw = '{ "name":"t", "description":"Ünï ❤️ 👨‍👩‍👧 \\u00e9", "inputSchema":{"a":1.0,"a":[ ]} }';
  assert.deepEqual(clean(raw), { raw, done: [] });
});

const unseen: ReadonlyArray<readonly [what: string, text: string]> = [
  ["tag characters", "\u{e0069}\u{e0067}"],
  ["what has no width", "\u200b\u2060"],
  ["controls of direction", "\u202e\u2066"],
  ["selectors of variants that select nothing", "\ufe01\u{e0101}"],
  ["controls of a terminal", "\u001b\u0007"],
  ["letters that only fill a place", "\u3164\u115f"],
  ["a joiner that joins nothing", "\u200d\u200c"],
  ["what Unicode keeps for later", "\u{e0080}\ufff0"],
  ["controls of music", "\u{1d173}\u{1d17a}"],
  ["a variant of a digit that is no key", "1\ufe0f2\ufe0f"],
  ["tags of no flag", "\u{1f3f4}\u{e0069}\u{e007f}"],
  ["marks of direction beside nothing that needs them", "\u200f\u200e"],
];

const written = [
  "🏴󠁧󠁢󠁥󠁮󠁧󠁿 England, 🏴󠁧󠁢󠁳󠁣󠁴󠁿 Scotland",
  "👩🏽‍💻 🏳️‍🌈 ❤️‍🔥 1️⃣",
  "می‌خواهم",
  "क्‍ष",
  "שלום!\u200f C++\u200e שלום",
  "\u061cعربي",
];

for (const description of written) {
  test(`clients get ${JSON.stringify(description)} as it is written`, () => {
    assert.deepEqual(clean({ name: "t", description, inputSchema: {} }).done, []);
  });
}

test("of marks of direction one is enough, and nothing turns a text around", () => {
  const { description } = seen({ name: "t", description: "שלום\u200f\u200e\u200f\u202e!" });
  assert.equal(description, "שלום\u200f!");
});

for (const [what, text] of unseen) {
  test(`clients do not get ${what}`, () => {
    const entry = { name: "t", title: `T${text}`, description: "It tidies", inputSchema: {} };
    const kept = text.replace(/[^0-9\u{1f3f4}]/gu, "");
    assert.equal(seen(entry)["title"], `T${kept}`);
    assert.deepEqual(clean(entry).done, ["has 2 invisible characters: removed"]);
    const escaped = JSON.stringify(entry).replaceAll(
      /[^\x20-\x7e]/g,
      (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`,
    );
    assert.equal((JSON.parse(clean(escaped).raw) as { title: string }).title, `T${kept}`);
  });
}

test("words of parameters and of arguments are words too, and values are not", () => {
  const text = "a\u200bb";
  const values = { const: text, default: { title: text }, enum: [text], pattern: text };
  const entry = {
    name: "t",
    inputSchema: {
      type: "object",
      properties: { [text]: { description: text, ...values }, description: { title: text } },
    },
    annotations: { title: text },
    arguments: [{ name: text, description: text }],
    _meta: { description: text },
  };
  assert.deepEqual(seen(entry), {
    name: "t",
    inputSchema: {
      type: "object",
      properties: { [text]: { description: "ab", ...values }, description: { title: "ab" } },
    },
    annotations: { title: "ab" },
    arguments: [{ name: text, description: "ab" }],
    _meta: { description: text },
  });
});

test("a parameter may be called as what holds a value: its words are cleaned and cut all the same", () => {
  for (const name of ["pattern", "default", "enum", "const", "examples", "_meta", "properties"]) {
    const entry = (description: string) => ({
      name: "t",
      inputSchema: { properties: { [name]: { description } }, $defs: { [name]: { description } } },
    });
    assert.deepEqual(seen(entry("a\u{e0041}b")), entry("ab"), name);
  }
});

test("a member's name in escapes hides nothing", () => {
  const raw = '{"name":"t","d\\u0065scription":"a\u200bb","inputSchema":{}}';
  assert.equal((JSON.parse(clean(raw).raw) as { description: string }).description, "ab");
});

test("members that are there twice deep inside save nothing outside", () => {
  const raw = '{"name":"t","description":"a\u200bb","inputSchema":{"a":1,"a":2},"icons":[{}]}';
  const cleaned = clean(raw);
  assert.equal(cleaned.raw, '{"name":"t","description":"ab","inputSchema":{"a":1,"a":2}}');
  assert.equal(cleaned.done.length, 2);
});

test("a description is cut, with a mark that says how much there was", () => {
  const description = "x".repeat(100 * 1024);
  const cut = seen({ name: "t", description, inputSchema: {} })["description"];
  assert.equal(cut, `${"x".repeat(MAX_DESCRIPTION_LENGTH)}… (cut, 100 KB)`);
  const whole = seen({ name: "t", description: "x".repeat(MAX_DESCRIPTION_LENGTH) });
  assert.equal(whole["description"], "x".repeat(MAX_DESCRIPTION_LENGTH));
  const pair = seen({ name: "t", description: `x${"😀".repeat(3_000)}` })["description"];
  assert.equal(String(pair).isWellFormed(), true);
});

test("instructions are cleaned and cut", () => {
  assert.deepEqual(cleanInstructions("Be kind"), { text: "Be kind", done: [] });
  const { text, done } = cleanInstructions(`\u200b${"x".repeat(20 * 1024)}`);
  assert.equal(text, `${"x".repeat(MAX_INSTRUCTIONS_LENGTH)}… (cut, 20 KB)`);
  assert.equal(done.length, 2);
});

const icons: ReadonlyArray<readonly [src: string, isShown: boolean]> = [
  ["https://example.com/a.png", true],
  ["data:image/png;base64,AAAA", true],
  ["javascript:alert(1)", false],
  [" javascript:alert(1)", false],
  ["java\nscript:alert(1)", false],
  ["JavaScript:alert(1)", false],
  ["file:///etc/passwd", false],
  ["http://example.com/a.png", false],
  ["//example.com/a.png", false],
  ["https:example.com", false],
  ["data:text/html;base64,AAAA", false],
  ["data:image/png", false],
  [`data:image/png;base64,${"A".repeat(MAX_ICON_LENGTH)}`, false],
  ["", false],
];

for (const [src, isShown] of icons) {
  test(`an icon at ${JSON.stringify(src.slice(0, 40))} is ${isShown ? "shown" : "dropped"}`, () => {
    const good = { src: "https://example.com/good.png", sizes: ["48x48"] };
    const entry = { name: "t", inputSchema: {}, icons: [{ src }, good] };
    assert.deepEqual(seen(entry)["icons"], isShown ? [{ src }, good] : [good]);
    assert.equal(clean(entry).done.length, isShown ? 0 : 1);
  });
}

test("icons that are no list are none", () => {
  for (const odd of [{ src: "javascript:1" }, "javascript:1", 7, [7], [{ src: 7 }]]) {
    assert.deepEqual(seen({ name: "t", inputSchema: {}, icons: odd })["icons"], []);
  }
});
