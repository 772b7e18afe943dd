import assert from "node:assert/strict";
import { test } from "node:test";
import { openConnection } from "../support/connection.ts";

/** How often the runner has said that it is there. */
const beats = (texts: readonly string[]): number => texts.filter((text) => text === "p").length;

test("the runner beats as often as the worker wants", async () => {
  const { wire, clock, welcome } = await openConnection();
  welcome({ heartbeatMs: 5_000 });
  for (let n = 0; n < 12; n++) {
    clock.advance(5_000);
    wire.events.message("P");
  }
  assert.equal(beats(wire.texts), 12);
  assert.equal(wire.closedWith, undefined);
});

test("no worker makes it beat more than once a second, or less than twice until it counts as dead", async () => {
  for (const [heartbeatMs, everyMs] of [[0, 1_000], [10, 1_000], [86_400_000, 15_000]] as const) {
    const { wire, clock, welcome } = await openConnection();
    welcome({ heartbeatMs });
    clock.advance(everyMs - 1);
    assert.equal(beats(wire.texts), 0, `${heartbeatMs}`);
    clock.advance(1);
    assert.equal(beats(wire.texts), 1, `${heartbeatMs}`);
  }
});

test("a worker that is silent for 30 s is left without waiting for it", async () => {
  const { wire, clock, welcome, ended, timers } = await openConnection();
  welcome({ heartbeatMs: 10_000 });
  clock.advance(29_999);
  assert.deepEqual(ended, []);
  clock.advance(1);
  assert.equal(wire.closedWith?.code, 4408);
  assert.deepEqual(ended, [4408]);
  assert.equal(timers(), 0);
});

const signs: Array<[what: string, text: string]> = [
  ["its answer to the beat", "P"],
  ["a frame", '{"type":"cancel","id":"x","reason":""}'],
  ["a frame that is not known", '{"type":"later"}'],
];

for (const [what, text] of signs) {
  test(`${what} is a sign of life`, async () => {
    const { wire, clock, welcome, ended } = await openConnection();
    welcome({ heartbeatMs: 10_000 });
    for (let n = 0; n < 10; n++) {
      clock.advance(20_000);
      wire.events.message(text);
    }
    assert.deepEqual(ended, []);
    clock.advance(40_000);
    assert.deepEqual(ended, [4408]);
  });
}

test("after the end nothing beats", async () => {
  const { wire, clock, welcome, timers } = await openConnection();
  welcome();
  wire.events.closed(1006, "");
  clock.advance(120_000);
  assert.equal(beats(wire.texts), 0);
  assert.equal(timers(), 0);
});
