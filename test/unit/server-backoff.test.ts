import assert from "node:assert/strict";
import { test } from "node:test";
import type { Behaviour } from "../support/pipe.ts";
import { wellBehaved } from "../support/pipe.ts";
import { begin } from "../support/exchange.ts";
import { longestWaits } from "../support/longest-waits.ts";
import { openServer } from "../support/server.ts";
import { settled } from "../support/settled.ts";

/** A server whose starts fail, each with its own exit code, until `repair` is called. */
function failing() {
  let starts = 0;
  let repaired = false;
  const behave = (): Behaviour => {
    const code = ++starts;
    return repaired ? wellBehaved() : (_, pipe) => pipe.end({ code });
  };
  return {
    ...openServer({ behave, remembered: "nothing" }),
    starts: () => starts,
    repair: () => void (repaired = true),
  };
}

test("soon after a failed start the same failure is the answer, at once and without a start", async () => {
  using _ = longestWaits();
  const { server, clock, starts } = failing();
  await assert.rejects(server.start(), { message: /code 1$/ });
  clock.advance(900);
  await assert.rejects(server.start(), { message: /code 1$/ });
  await assert.rejects(server.start(), { message: /code 1$/ });
  assert.equal(starts(), 1);
  clock.advance(100);
  await assert.rejects(server.start(), { message: /code 2$/ });
  assert.equal(starts(), 2);
});

test("the waits double up to a minute", async () => {
  using _ = longestWaits();
  const { server, clock, starts } = failing();
  for (const seconds of [1, 2, 4, 8, 16, 32, 60, 60, 60]) {
    const before = starts();
    await assert.rejects(server.start());
    clock.advance(seconds * 1_000 - 10);
    await assert.rejects(server.start());
    assert.equal(starts(), before + 1);
    clock.advance(10);
  }
});

test("a start that succeeds makes the next failure a first one", async () => {
  using _ = longestWaits();
  const { server, clock, pipes, starts, repair } = failing();
  for (let n = 0; n < 5; n++) {
    await assert.rejects(server.start());
    clock.advance(60_000);
  }
  repair();
  await server.start();
  for (const pipe of pipes) pipe.end({ code: 1 });
  await settled();
  const before = starts();
  const { events } = begin(server);
  await settled();
  assert.ok(starts() > before);
  assert.equal(events.length, 2);
});

test("a failed start changes what others see of the server", async () => {
  const { server, changes } = failing();
  await assert.rejects(server.start());
  assert.equal(changes(), 1);
});

test("the log has one line for a failed start, however many ask again", async () => {
  using _ = longestWaits();
  const { server, log } = failing();
  for (let n = 0; n < 10; n++) await assert.rejects(server.start());
  assert.equal(log.length, 1);
});
