import assert from "node:assert/strict";
import { test } from "node:test";
import { type Cast, ratioItems } from "../../bench/items.ts";
import type { Measured } from "../../bench/load.ts";
import type { Results } from "../../bench/rounds.ts";
import type { Subject } from "../../bench/subject/subject.ts";

function subject(name: string): Subject {
  return {
    name,
    prepare: ({ id }) => ({ id, body: "", expected: "" }),
    send: () => Promise.resolve(""),
  };
}

function rounds(p50Ms: number, callsPerSecond: number): readonly Measured[] {
  // The second round runs on a machine that is half as fast.
  return [1, 2].map((slow) => ({
    p50Ms: p50Ms * slow,
    p99Ms: p50Ms * slow,
    callsPerSecond: callsPerSecond / slow,
  }));
}

const cast: Cast = {
  attach: subject("attach"),
  relay: subject("relay"),
  legacy: subject("legacy"),
  modern: subject("modern"),
  peers: [subject("quick peer"), subject("busy peer")],
};
const [quick, busy] = cast.peers as [Subject, Subject];
const measured = new Map([
  [cast.attach, rounds(1, 1_000)],
  [cast.relay, rounds(1, 1_000)],
  [cast.legacy, rounds(3, 500)],
  [cast.modern, rounds(4, 400)],
  [quick, rounds(6, 100)],
  [busy, rounds(12, 250)],
]);
const results: Results = { 1: measured, 16: measured };
const values = new Map(ratioItems(results, cast).map(({ name, value }) => [name, value]));

test("the whole path is compared to the sum of its parts, round by round", () => {
  assert.equal(values.get("legacy ÷ (attach + relay): p50 at 1"), 1.5);
  assert.equal(values.get("modern ÷ (attach + relay): p50 at 1"), 2);
});

test("its rate is a share of the bare relay's", () => {
  assert.equal(values.get("legacy of relay: calls per second at 16"), 50);
});

test("each peer is compared, and the best one is the best at what is compared", () => {
  assert.equal(values.get("legacy ÷ quick peer: p50 at 1"), 0.5);
  assert.equal(values.get("legacy ÷ best peer: p50 at 1"), 0.5);
  assert.equal(values.get("legacy ÷ best peer: calls per second at 16"), 2);
  assert.equal(values.get("legacy ÷ quick peer: calls per second at 16"), 5);
});
