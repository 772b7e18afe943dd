import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type LineRules, LineSplitter } from "../../runner/docker/lines.ts";

const encoder = new TextEncoder();

interface Seen {
  readonly lines: string[];
  readonly garbage: number[];
  /** What each `push` answered. */
  readonly taken: boolean[];
}

/** Splits `chunks`, given as text or bytes, then ends. */
function split(chunks: readonly (string | Uint8Array)[], rules: Partial<LineRules> = {}): Seen {
  const seen: Seen = { lines: [], garbage: [], taken: [] };
  const splitter = new LineSplitter({
    maxBytes: 1024,
    tooLong: "refuse",
    onLine: (line) => seen.lines.push(line),
    onGarbage: (bytes) => seen.garbage.push(bytes),
    ...rules,
  });
  for (const chunk of chunks) {
    seen.taken.push(splitter.push(typeof chunk === "string" ? encoder.encode(chunk) : chunk));
  }
  splitter.end();
  return seen;
}

const line = fc.string({ unit: "grapheme", maxLength: 30 })
  .filter((text) => text !== "" && !/[\n\r\ufeff]/.test(text));

test("LineSplitter gives the same lines however the bytes are torn", () => {
  fc.assert(fc.property(fc.array(line), fc.array(fc.nat(3_000)), (lines, cuts) => {
    const bytes = encoder.encode(lines.map((text) => `${text}\n`).join(""));
    const edges = [
      0,
      ...cuts.map((cut) => cut % (bytes.length + 1)).toSorted((a, b) => a - b),
      bytes.length,
    ];
    const chunks = edges.slice(1).map((edge, i) => bytes.subarray(edges[i], edge));
    assert.deepEqual(split(chunks).lines, lines);
  }));
});

const cases: [why: string, chunks: (string | Uint8Array)[], lines: string[], garbage: number[]][] =
  [
    ["drops empty lines", ["\n\na\n\r\n\n"], ["a"], []],
    ["drops a carriage return before the end of a line", ["a\r", "\nb\r\n"], ["a", "b"], []],
    ["keeps a carriage return inside a line", ["a\rb\n"], ["a\rb"], []],
    ["takes what is left at the end for a line", ["a\nb"], ["a", "b"], []],
    ["drops a byte order mark", ["\ufeff{}\n"], ["{}"], []],
    [
      "reports a line that is not UTF-8",
      [Uint8Array.of(97, 10, 255, 254, 10, 98, 10)],
      ["a", "b"],
      [2],
    ],
    ["reports a character that ends in the middle", [Uint8Array.of(0xf0, 0x9f, 10)], [], [2]],
    ["takes a line of exactly the limit", [`${"x".repeat(1024)}\n`], ["x".repeat(1024)], []],
  ];
for (const [why, chunks, lines, garbage] of cases) {
  test(`LineSplitter ${why}`, () => {
    const seen = split(chunks);
    assert.deepEqual({ lines: seen.lines, garbage: seen.garbage }, { lines, garbage });
  });
}

test("LineSplitter refuses a line over the limit, and everything after it", () => {
  for (const long of [[`${"x".repeat(1025)}\n`], ["x".repeat(600), "x".repeat(600)]]) {
    const seen = split(["first\n", ...long, "later\n"]);
    assert.deepEqual(seen.lines, ["first"]);
    assert.equal(seen.taken.at(0), true);
    assert.equal(seen.taken.at(-1), false);
  }
});

test("LineSplitter cuts a line over the limit where the rules say so", () => {
  const rules: Partial<LineRules> = { maxBytes: 4, tooLong: "cut" };
  assert.deepEqual(split(["12345678\nab\n", "123", "456", "789\nend"], rules).lines, [
    "1234",
    "ab",
    "1234",
    "end",
  ]);
});

test("LineSplitter replaces wrong bytes where nobody counts them", () => {
  const lines: string[] = [];
  const rules: LineRules = { maxBytes: 9, tooLong: "cut", onLine: (line) => lines.push(line) };
  new LineSplitter(rules).push(Uint8Array.of(97, 255, 10));
  assert.deepEqual(lines, ["a\ufffd"]);
});

test("LineSplitter takes a mebibyte in single bytes in linear time", () => {
  const seen = split(
    [...Array.from({ length: 2 ** 20 }, () => Uint8Array.of(120)), "\n"],
    { maxBytes: 2 ** 21 },
  );
  assert.equal(seen.lines[0]?.length, 2 ** 20);
});
