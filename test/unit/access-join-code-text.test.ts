import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { drawJoinCode, formatJoinCode, readJoinCode } from "../../worker/access/join-code-text.ts";

const LETTERS = "BCDFGHJKLMNPQRSTVWXZ".split("");

/** Fills with `bytes`, one after the other, from the beginning when they are used up. */
function filler(bytes: readonly number[]): (target: Uint8Array) => void {
  let next = 0;
  return (target) => {
    for (let i = 0; i < target.length; i++) target[i] = bytes[next++ % bytes.length] ?? 0;
  };
}

test("drawJoinCode() draws 8 of the 20 letters", () => {
  for (let n = 0; n < 1000; n++) assert.match(drawJoinCode(), /^[BCDFGHJKLMNPQRSTVWXZ]{8}$/);
});

test("drawJoinCode() favours no letter: all 256 bytes give each of the 20 twelve times", () => {
  const fill = filler(Array.from({ length: 256 }, (_, byte) => byte));
  const counts = new Map<string, number>();
  for (let n = 0; n < 30; n++) {
    for (const letter of drawJoinCode(fill)) counts.set(letter, (counts.get(letter) ?? 0) + 1);
  }
  assert.deepEqual([...counts.keys()].toSorted(), LETTERS);
  assert.deepEqual([...new Set(counts.values())], [12]);
});

test("drawJoinCode() draws again for bytes that would favour some letters", () => {
  assert.equal(drawJoinCode(filler([255, 240, 239, 0])), "ZBZBZBZB");
});

/** Any UTF-16 unit, also half a surrogate pair. */
const utf16 = fc.nat(0xffff).map((unit) => String.fromCharCode(unit));
const separators = fc.array(fc.constantFrom("-", " ", "\t", "–", "\u00a0", ""), { maxLength: 2 });
const letters = fc.array(fc.constantFrom(...LETTERS), { minLength: 8, maxLength: 8 });

test("readJoinCode() reads what formatJoinCode() shows, in any case, however it is spaced", () => {
  const typed = fc.array(fc.tuple(fc.constantFrom(...LETTERS), fc.boolean(), separators), {
    minLength: 8,
    maxLength: 8,
  });
  fc.assert(fc.property(letters, (drawn) => {
    const code = drawn.join("");
    assert.equal(readJoinCode(formatJoinCode(code)), code);
  }));
  fc.assert(fc.property(typed, (parts) => {
    const text = parts.map(([letter, lower, between]) =>
      (lower ? letter.toLowerCase() : letter) + between.join("")
    ).join("");
    fc.pre(text.length <= 32);
    assert.equal(readJoinCode(text), parts.map(([letter]) => letter).join(""));
  }));
});

test("readJoinCode() gives 8 of the 20 letters or nothing, whatever is typed", () => {
  fc.assert(fc.property(fc.string({ unit: utf16, maxLength: 40 }), (text) => {
    assert.match(readJoinCode(text) ?? "BBBBBBBB", /^[BCDFGHJKLMNPQRSTVWXZ]{8}$/);
  }));
});
