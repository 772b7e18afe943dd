import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  pathsOf,
  renderItems,
  renderText,
  type TemplateScope,
  type Value,
} from "../../runner/catalog/template.ts";

const values: Readonly<Record<string, Value>> = {
  text: "a",
  none: undefined,
  empty: "",
  list: ["/srv/a", "/srv/b"],
  nothing: [],
  number: 1_000_000,
  fraction: 0.5,
  yes: true,
  windows: "C:\\data\\notes",
  "s.path": "/srv/a",
  home: "~/notes",
};

const scope: TemplateScope = { lookup: (path) => values[path] };
const items = (template: string, within = scope) =>
  renderItems(template, within).map(({ text }) => text);

const semantics: Array<[template: string, items: readonly string[]]> = [
  ["plain", ["plain"]],
  ["", [""]],
  ["{{text}}", ["a"]],
  ["--x={{text}}", ["--x=a"]],
  ["{{none}}", [""]],
  ["{{s.path}}", ["/srv/a"]],

  // Numbers and booleans are what they are.
  ["{{number}}", ["1000000"]],
  ["{{fraction}}", ["0.5"]],
  ["{{yes}}", ["true"]],
  ["{{number|into}}", ["1000000"]],
  ["x{{yes}}", ["xtrue"]],

  // into: one item per element, where the term stands alone.
  ["{{list|into}}", ["/srv/a", "/srv/b"]],
  ["{{list}}", ["/srv/a", "/srv/b"]],
  ["{{text|into}}", ["a"]],
  ["{{none|into}}", []],
  ["{{nothing|into}}", []],
  ["{{list}} x", ["/srv/a,/srv/b x"]],

  // volume and volume-target.
  ["{{s.path|volume}}", ["/srv/a:/srv/a"]],
  ["{{list|volume|into}}", ["/srv/a:/srv/a", "/srv/b:/srv/b"]],
  ["{{list|volume-target|into}}", ["/srv/a", "/srv/b"]],
  ["{{windows|volume}}", ["C:\\data\\notes:/C/data/notes"]],
  ["{{windows|volume-target}}", ["/C/data/notes"]],
  ["{{s.path|volume-target}}/x.log", ["/srv/a/x.log"]],
  ["{{none|volume}}", [""]],

  // first and last.
  ["{{list|first}}", ["/srv/a"]],
  ["{{list|last}}", ["/srv/b"]],
  ["{{text|first}}", ["a"]],
  ["{{text|last}}", ["a"]],
  ["{{nothing|first}}", [""]],
  ["{{none|last}}", [""]],

  // or.
  ["{{none|or:x}}", ["x"]],
  ["{{empty|or:x}}", ["x"]],
  ["{{nothing|or:x}}", ["x"]],
  ["{{text|or:x}}", ["a"]],
  ["{{nothing|or:[b,c]|into}}", ["b", "c"]],
  ["{{none|or:[]|volume|into}}", []],
  ["{{list|or:[]|first}}", ["/srv/a"]],
  ["{{none|or:http://x:1}}", ["http://x:1"]],

  // mount_as.
  ["{{s.path|mount_as:/data}}", ["/srv/a:/data"]],
  ["{{s.path|mount_as:/data:ro}}", ["/srv/a:/data:ro"]],
  ["{{list|mount_as:/data}}", ["/srv/a:/data"]],
  ["{{nothing|mount_as:/data}}", [""]],
  ["{{none|mount_as:/data}}", [""]],

  // Spaces mean nothing.
  ["{{ none | or: x }}", ["x"]],
  ["{{ list | volume | into }}", ["/srv/a:/srv/a", "/srv/b:/srv/b"]],

  // Braces that open no term stay.
  ['{"a":{"b":1}}', ['{"a":{"b":1}}']],
  ['{"a":{{number}}}', ['{"a":1000000}']],
  ["{text}", ["{text}"]],
  ["{{", ["{{"]],
  ["}} {{text}} }", ["}} a }"]],
  ["{{}}", ["{{}}"]],
];

for (const [template, expected] of semantics) {
  test(`the template ${JSON.stringify(template)} renders to ${JSON.stringify(expected)}`, () => {
    assert.deepEqual(items(template), expected);
  });
}

const refused: Array<[template: string, message: RegExp]> = [
  ["{{text|upper}}", /the unknown function "upper", known are into, first/],
  ["{{text|constructor}}", /the unknown function "constructor"/],
  ["{{text|or}}", /has or without its argument/],
  ["{{text|}}", /the unknown function ""/],
];

for (const [template, message] of refused) {
  test(`the template ${template} is refused`, () => {
    assert.throws(() => renderText(template, scope), { code: "config_invalid", message });
  });
}

test("a template tells whether a term of it had no value", () => {
  assert.equal(renderText("a{{none}}", scope).hasGap, true);
  assert.equal(renderText("a{{empty}}", scope).hasGap, true);
  assert.equal(renderText("a{{none|or:b}}", scope).hasGap, false);
  assert.equal(renderText("a", scope).hasGap, false);
});

test("paths of a template are those that it looks up", () => {
  assert.deepEqual(pathsOf("{{a.b|volume}}:{{c}} {d}"), ["a.b", "c"]);
});

test("functions for volumes resolve paths of the home folder and of the config's folder", () => {
  const paths = { home: "/home/ada", directory: "/home/ada/project", platform: "linux" };
  assert.deepEqual(items("{{home|volume}}", { ...scope, paths }), [
    "/home/ada/notes:/home/ada/notes",
  ]);
  const relative: TemplateScope = { lookup: () => ["./a", "../b"], paths };
  assert.deepEqual(items("{{x|volume-target|into}}", relative), [
    "/home/ada/project/a",
    "/home/ada/b",
  ]);
});

test("a rendered text has a limit", () => {
  const long = { lookup: () => "x".repeat(300_000) };
  assert.throws(() => renderText("{{a}}", long), {
    code: "config_invalid",
    message: /allowed are/,
  });
});

test("text without a term is rendered to itself, whatever it is", () => {
  fc.assert(fc.property(fc.string(), (text) => {
    fc.pre(!text.includes("{{"));
    assert.equal(renderText(text, scope).text, text);
  }));
});

test("what a value holds is never read as a template again", () => {
  fc.assert(fc.property(fc.string(), (value) => {
    const { text } = renderText("<{{x}}>", { lookup: () => `{{text}}${value}` });
    assert.equal(text, `<{{text}}${value}>`);
  }));
});

test("no template makes it hang or throw anything but a refusal", () => {
  const part = fc.constantFrom(
    "{{",
    "}}",
    "{",
    "}",
    "|",
    "text",
    "or:",
    ":",
    " ",
    "into",
    "[",
    "]",
  );
  fc.assert(fc.property(fc.array(part, { maxLength: 40 }), (parts) => {
    try {
      renderItems(parts.join(""), scope);
    } catch (error) {
      assert.equal((error as { code?: string }).code, "config_invalid");
    }
  }));
});
