import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Demultiplexer, type Output } from "../../runner/docker/demultiplexer.ts";

const TYPES = { stdout: 1, stderr: 2 } as const;

/** One frame as the engine writes it. */
function frame(output: Output, payload: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(8 + payload.length);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, TYPES[output]);
  view.setUint32(4, payload.length);
  bytes.set(payload, 8);
  return bytes;
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** What comes out of each output when `bytes` come in cut at `cuts`. */
function demultiplex(bytes: Uint8Array, cuts: readonly number[]): Record<Output, Uint8Array> {
  const seen: Record<Output, Uint8Array[]> = { stdout: [], stderr: [] };
  const demultiplexer = new Demultiplexer((output, payload) => seen[output].push(payload.slice()));
  const edges = [
    0,
    ...cuts.map((cut) => cut % (bytes.length + 1)).toSorted((a, b) => a - b),
    bytes.length,
  ];
  for (let i = 1; i < edges.length; i++) demultiplexer.push(bytes.subarray(edges[i - 1], edges[i]));
  return { stdout: concat(seen.stdout), stderr: concat(seen.stderr) };
}

const frames = fc.array(
  fc.record({
    output: fc.constantFrom<Output>("stdout", "stderr"),
    payload: fc.uint8Array({ maxLength: 40 }),
  }),
  { maxLength: 20 },
);

test("Demultiplexer gives each output its bytes in order, however the socket is torn", () => {
  fc.assert(fc.property(frames, fc.array(fc.nat(2_000)), (list, cuts) => {
    const bytes = concat(list.map(({ output, payload }) => frame(output, payload)));
    const of = (wanted: Output) =>
      concat(list.filter(({ output }) => output === wanted).map(({ payload }) => payload));
    assert.deepEqual(demultiplex(bytes, cuts), { stdout: of("stdout"), stderr: of("stderr") });
  }));
});

test("Demultiplexer takes frames that come one byte at a time", () => {
  const bytes = concat([frame("stdout", Uint8Array.of(1, 2)), frame("stderr", Uint8Array.of(3))]);
  const cuts = Array.from({ length: bytes.length }, (_, at) => at);
  assert.deepEqual(demultiplex(bytes, cuts), {
    stdout: Uint8Array.of(1, 2),
    stderr: Uint8Array.of(3),
  });
});

test("Demultiplexer takes a mebibyte of one-byte frames in one chunk", () => {
  const one = frame("stdout", Uint8Array.of(120));
  const bytes = new Uint8Array(one.length * 116_508);
  for (let at = 0; at < bytes.length; at += one.length) bytes.set(one, at);
  assert.equal(demultiplex(bytes, []).stdout.length, 116_508);
});

test("Demultiplexer hands on a payload before its frame is complete", () => {
  const pieces: number[] = [];
  const demultiplexer = new Demultiplexer((_output, payload) => pieces.push(payload.length));
  const bytes = frame("stdout", new Uint8Array(100));
  demultiplexer.push(bytes.subarray(0, 58));
  assert.deepEqual(pieces, [50]);
  demultiplexer.push(bytes.subarray(58));
  assert.deepEqual(pieces, [50, 50]);
});

test("Demultiplexer refuses a frame type that the protocol does not have", () => {
  const demultiplexer = new Demultiplexer(() => {});
  const terminal = new TextEncoder().encode("Hello from a terminal\r\n");
  assert.throws(() => demultiplexer.push(terminal), {
    name: "SyntaxError",
    message: "Cannot read output of the container: frame type is 72, at most 2 is known",
  });
});
