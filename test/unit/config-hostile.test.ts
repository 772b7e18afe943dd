import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parseConfig } from "../../runner/config/config.ts";

const place = {
  file: "mcp-runner.yaml",
  cwd: "/home/ada",
  machine: { platform: "linux", home: "/home/ada", ours: [] },
};

/** Parses and says how it went; fails when anything but a GatewayError is thrown. */
async function outcome(text: string): Promise<string> {
  try {
    await parseConfig(text, place);
    return "accepted";
  } catch (error) {
    assert.ok(error instanceof Error && error.name === "GatewayError", String(error));
    const [head = "", ...lines] = error.message.split("\n");
    assert.match(head, /^Cannot use mcp-runner\.yaml: /);
    // A reader of the message must never be led to a place that is not in the file.
    const rows = text.split("\n");
    for (const line of lines) {
      const [, row, column] = /^mcp-runner\.yaml:(\d+):(\d+) /.exec(line) ?? [];
      if (row === undefined) continue;
      assert.ok(Number(column) <= (rows[Number(row) - 1]?.length ?? -1) + 1, line);
    }
    return error.message;
  }
}

const yaml = fc.string({
  unit: fc.constantFrom(
    ..."{}[]:,&*!|>'\"%@`-?#~ \n\t\0\u2028é",
    "a",
    "1",
    ": ",
    "- ",
    "\n  ",
    "<<",
  ),
  maxLength: 60,
});

/** Text that is nearly a configuration: the right words in the wrong places. */
const nearly: fc.Arbitrary<unknown> = fc.letrec((tie) => ({
  key: fc.constantFrom(
    ..."version servers source args env volumes tools allow limits memory a".split(" "),
    ..."A_B __proto__ constructor toString".split(" "),
    "",
  ),
  leaf: fc.constantFrom(
    1,
    true,
    null,
    "",
    "npm:a",
    "image:a",
    "512m",
    "./a:/a",
    "*",
    "\0",
    "x".repeat(200),
  ),
  node: fc.oneof(
    { depthSize: "small" },
    tie("leaf"),
    fc.array(tie("node"), { maxLength: 4 }),
    fc.array(fc.tuple(tie("key"), tie("node")), { maxLength: 5 })
      .map((pairs) => Object.fromEntries(pairs as Array<[string, unknown]>)),
  ),
})).node;

test("parseConfig() survives any text", async () => {
  await fc.assert(
    fc.asyncProperty(fc.oneof(fc.string(), yaml), async (text) => {
      await outcome(text);
    }),
    { numRuns: 500 },
  );
});

test("parseConfig() survives any structure", async () => {
  await fc.assert(
    fc.asyncProperty(nearly, nearly, async (root, servers) => {
      await outcome(JSON.stringify(root));
      await outcome(JSON.stringify({ version: 1, servers }));
      await outcome(JSON.stringify({ version: 1, servers: { a: servers } }));
    }),
    { numRuns: 200 },
  );
});

const bomb = Array.from({ length: 12 }, (_, i) => {
  const items = Array.from({ length: 9 }, () => i === 0 ? "x" : `*a${i - 1}`);
  return `a${i}: &a${i} [${items.join()}]`;
}).join("\n");

const many = (count: number, line: (i: number) => string) =>
  Array.from({ length: count }, (_, i) => line(i)).join("\n");

const hostile: Array<[why: string, text: string, outcome: RegExp]> = [
  [
    "aliases that multiply",
    bomb,
    /:1:1 yaml: aliases multiply the text, use an anchor at most 100/,
  ],
  [
    "an anchor that holds itself",
    "version: 1\nservers: &s { a: *s }",
    /servers\.a\.a: unknown key/,
  ],
  ["deep lists", "[".repeat(20_000), /yaml: nested too deeply/],
  ["deep maps", "{a: ".repeat(20_000), /yaml: nested too deeply/],
  ["deep blocks", "- ".repeat(20_000), /yaml: nested too deeply/],
  ["ten thousand keys", many(10_000, (i) => `k${i}: 1`), /… and \d+ more/],
  ["ten thousand times the same key", many(10_000, () => "k: 1"), /: 9999 problems/],
  [
    "ten thousand bad servers",
    `version: 1\nservers:\n${many(10_000, (i) => `  s${i}: {}`)}`,
    /: 10000 problems/,
  ],
  [
    "a long reference made to backtrack",
    `version: 1\nservers: { a: { source: "image:${"a-".repeat(100_000)}" } }`,
    /is not an image/,
  ],
  [
    "a long size made to backtrack",
    `version: 1\nservers: { a: { source: npm:a, limits: { memory: "${"1.".repeat(100_000)}" } } }`,
    /is not a size/,
  ],
];

for (const [why, text, expected] of hostile) {
  test(`parseConfig() answers ${why} in bounded time`, { timeout: 20_000 }, async () => {
    assert.match(await outcome(text), expected);
  });
}
