import { Buffer } from "node:buffer";
import assert from "node:assert/strict";
import { test } from "node:test";
import { readHidden } from "../../runner/cli/hidden-input.ts";

const bytes = (text: string) => Buffer.from(text);

/** What a person types, in the pieces in which it comes, and what the terminal saw. */
async function type(...pieces: readonly (string | Buffer)[]) {
  const seen: string[] = [];
  const terminal = {
    isTTY: true,
    setRawMode: (raw: boolean) => seen.push(raw ? "<raw>" : "<cooked>"),
    async *[Symbol.asyncIterator]() {
      yield* pieces.map((piece) => typeof piece === "string" ? bytes(piece) : piece);
    },
  };
  const result = readHidden("Value: ", terminal, { write: (text) => seen.push(text) }, () => {
    seen.push("<interrupt>");
  });
  return { value: await result.catch((error: Error) => error), seen: seen.join("") };
}

test("what is typed is not shown, and ends with Enter", async () => {
  const { value, seen } = await type("hun", "ter2\r", "more");
  assert.equal(value, "hunter2");
  assert.equal(seen, "Value: <raw><cooked>\n");
});

test("characters that come in two pieces are whole", async () => {
  const check = bytes("✓");
  assert.equal((await type(check.subarray(0, 1), check.subarray(1), "\n")).value, "✓");
});

test("backspace and Ctrl-U correct", async () => {
  assert.equal((await type("wrong\x15hunter✓\x7f3\b2\x04")).value, "hunter2");
});

test("Ctrl-C interrupts, and the terminal is as before", async () => {
  const { value, seen } = await type("hunt\x03er2\r");
  assert.ok(value instanceof Error);
  assert.equal(seen, "Value: <raw><interrupt><cooked>\n");
});

/** The same with something else than a terminal. */
async function pipe(...pieces: readonly Buffer[]) {
  const seen: string[] = [];
  const input = {
    async *[Symbol.asyncIterator]() {
      yield* pieces;
    },
  };
  return {
    value: await readHidden("Value: ", input, { write: (text) => seen.push(text) }, () => {}),
    seen,
  };
}

test("from a pipe everything is read, and nothing asked", async () => {
  const check = bytes("✓");
  const { value, seen } = await pipe(
    bytes("line 1\nline 2"),
    check.subarray(0, 2),
    check.subarray(2),
  );
  assert.equal(value, "line 1\nline 2✓");
  assert.deepEqual(seen, []);
});

test("from a pipe comes text, and not too much of it", async () => {
  await assert.rejects(pipe(Buffer.from([0xff])), { code: "usage", message: /not UTF-8/ });
  const much = Buffer.alloc(100_000, "x");
  await assert.rejects(pipe(much, much), { code: "usage", message: /more than 131072 bytes/ });
});
