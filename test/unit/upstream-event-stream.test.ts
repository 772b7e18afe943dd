import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { EventStreamReader, type ServerSentEvent } from "../../runner/upstream/event-stream.ts";

function read(
  ...pieces: readonly string[]
): { readonly events: readonly ServerSentEvent[]; readonly reader: EventStreamReader } {
  const reader = new EventStreamReader(1_000);
  return { events: pieces.flatMap((piece) => [...reader.read(piece)]), reader };
}

const CASES: readonly (readonly [why: string, text: string, events: readonly string[]])[] = [
  ["one data line", "data: a\n\n", ["message a"]],
  ["a line without the space", "data:a\n\n", ["message a"]],
  ["only the first space is left out", "data:  a\n\n", ["message  a"]],
  ["data lines are joined by line feeds", "data: a\ndata: b\n\n", ["message a\nb"]],
  ["lines that end in CR", "data: a\rdata: b\r\r", ["message a\nb"]],
  ["lines that end in CRLF", "data: a\r\ndata: b\r\n\r\n", ["message a\nb"]],
  ["an event with a name", "event: endpoint\ndata: /x\n\n", ["endpoint /x"]],
  ["a name holds for one event", "event: x\ndata: a\n\ndata: b\n\n", ["x a", "message b"]],
  ["a name without data is no event", "event: x\n\ndata: b\n\n", ["message b"]],
  ["empty data are an event", "data\n\n", ["message "]],
  ["comments and unknown fields", ": hello\nfoo: bar\ndata: a\n:\n\n", ["message a"]],
  ["an event that is not finished", "data: a\n\ndata: b\n", ["message a"]],
  ["a colon in the data", "data: a: b\n\n", ["message a: b"]],
];

for (const [why, text, expected] of CASES) {
  test(`EventStreamReader reads ${why}`, () => {
    const { events } = read(text);
    assert.deepEqual(events.map(({ type, data }) => `${type} ${data}`), expected);
  });
}

test("EventStreamReader reads the same events wherever the text is torn", () => {
  const text = CASES.map(([, each]) => each).join("\n\n");
  const { events } = read(text);
  fc.assert(fc.property(fc.array(fc.nat({ max: text.length })), (cuts) => {
    const ends = [...cuts, text.length].toSorted((a, b) => a - b);
    const pieces = ends.map((end, n) => text.slice(ends[n - 1] ?? 0, end));
    assert.deepEqual(read(...pieces).events, events);
  }));
});

test("EventStreamReader remembers the id of the last event, also of one without data", () => {
  assert.equal(read("id: 1\ndata: a\n\nid: 2\n\n").reader.lastEventId, "2");
  assert.equal(read("id: 1\n\ndata: a\n\n").reader.lastEventId, "1");
});

test("EventStreamReader does not take the id of an event that is not finished", () => {
  assert.equal(read("id: 1\ndata: a\n\nid: 2\ndata: b\n").reader.lastEventId, "1");
});

test("EventStreamReader forgets the id when the server takes it back", () => {
  assert.equal(read("id: 1\ndata: a\n\nid:\ndata: b\n\n").reader.lastEventId, undefined);
});

test("EventStreamReader does not take an id that fits no header", () => {
  for (const id of ["a\0b", "ü", "x".repeat(1_025)]) {
    const reader = new EventStreamReader(5_000);
    assert.equal([...reader.read(`id: ${id}\ndata: a\n\n`)].length, 1);
    assert.equal(reader.lastEventId, undefined, id);
  }
});

test("EventStreamReader reads how long to wait, at most an hour", () => {
  assert.equal(read("retry: 1500\n\n").reader.retryMs, 1_500);
  assert.equal(read("retry: 9999999999\n\n").reader.retryMs, 3_600_000);
  assert.equal(read("retry: 1s\n\n").reader.retryMs, undefined);
});

test("EventStreamReader refuses an event beyond its bound, in one line or in many", () => {
  const tooLarge = { code: "result_too_large", message: /longer than 1000 characters/ };
  assert.throws(() => read(`data: ${"x".repeat(1_000)}`), tooLarge);
  assert.throws(() => read(...Array.from({ length: 200 }, () => "data: xx\n")), tooLarge);
  assert.throws(() => read(...Array.from({ length: 200 }, () => "xxxxxxxx")), tooLarge);
});

test("EventStreamReader lets a stream of comments go on for ever", () => {
  const { events } = read(
    ...Array.from({ length: 1_000 }, () => ": still here\n\n"),
    "data: a\n\n",
  );
  assert.equal(events.length, 1);
});
