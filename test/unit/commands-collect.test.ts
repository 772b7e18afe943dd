import assert from "node:assert/strict";
import { Duplex } from "node:stream";
import { test } from "node:test";
import { collect, MAX_OUTPUT_BYTES } from "../../runner/commands-server/collect.ts";

/** A socket over which a container prints `count` times the same. */
function printing(count: number, text: string, type = 1): Duplex {
  const frame = Buffer.from([type, 0, 0, 0, 0, 0, 0, text.length, ...Buffer.from(text)]);
  const chunk = Buffer.concat(Array<Buffer>(1024).fill(frame));
  let left = count;
  return new Duplex({
    read() {
      if (left === 0) return void this.push(null);
      const frames = Math.min(left, 1024);
      left -= frames;
      this.push(chunk.subarray(0, frames * frame.length));
    },
    write: (_chunk, _encoding, done) => done(),
  });
}

test("collect() keeps each output apart, up to its bound", async () => {
  const short = collect(printing(3, "ab", 2).end());
  await short.closed;
  assert.deepEqual(short.taken(), {
    stdout: { text: "", isCut: false },
    stderr: { text: "ababab", isCut: false },
  });
  const long = collect(printing(MAX_OUTPUT_BYTES, "ab").end());
  await long.closed;
  const { text, isCut } = long.taken().stdout;
  assert.deepEqual({ length: text.length, isCut }, { length: MAX_OUTPUT_BYTES, isCut: true });
});

test("collect() needs no more memory for output that comes a byte at a time", async () => {
  const before = process.memoryUsage();
  const { closed, taken } = collect(printing(MAX_OUTPUT_BYTES, "a").end());
  await closed;
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  const grown = heapUsed + arrayBuffers - before.heapUsed - before.arrayBuffers;
  assert.equal(taken().stdout.text.length, MAX_OUTPUT_BYTES);
  assert.ok(grown < 64 * 1024 ** 2, `${grown} bytes`);
});
