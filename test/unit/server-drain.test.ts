import assert from "node:assert/strict";
import { test } from "node:test";
import { begin } from "../support/exchange.ts";
import { openManaged } from "../support/managed.ts";
import { modern, type Pipe, silent } from "../support/pipe.ts";
import { settled } from "../support/settled.ts";

/** A server with one call under way and one that waits for its turn, which is being drained. */
async function draining() {
  const bench = openManaged({
    life: { concurrency: 1 },
    behave: () => modern(["echo"], { "tools/call": silent }),
  });
  const calls = [begin(bench.server), begin(bench.server)];
  await settled();
  let over = false;
  const draining = bench.server.drain(10_000).then(() => over = true);
  const [pipe] = bench.pipes as [Pipe];
  const answer = async (nth: number): Promise<void> => {
    pipe.say({ id: pipe.received("tools/call")[nth]?.id, result: {} });
    await settled();
  };
  return { ...bench, calls, pipe, answer, draining, isOver: () => over };
}

test("calls under way come to their end, also those that wait, then it stops", async () => {
  const { server, answer, calls, isOver, pipe, journal, clock } = await draining();
  assert.equal(server.state, "draining");
  await answer(0);
  assert.equal(isOver(), false);
  await answer(1);
  for (const { events } of calls) assert.deepEqual(events, ["accepted", "result {}"]);
  assert.equal(isOver(), true);
  assert.equal(pipe.ended, true);
  assert.equal(server.state, "cold");
  assert.deepEqual(journal.at(-1), {
    type: "stop",
    server: "probe",
    image: undefined,
    container: "c0ffee",
    message: "drain",
  });
  assert.equal(clock.pending, 0);
});

test("no further call is taken: it has not run, and may be made again", async () => {
  const { server, pipe } = await draining();
  const late = begin(server);
  assert.deepEqual(late.events, ["failed overloaded no"]);
  assert.match(late.failures[0] ?? "", /is being restarted: try again in a moment$/);
  assert.equal(pipe.received("tools/call").length, 1);
});

test("calls that take too long are ended", async () => {
  const { calls, clock, isOver, pipe } = await draining();
  clock.advance(9_999);
  await settled();
  assert.equal(isOver(), false);
  clock.advance(1);
  await settled();
  assert.equal(isOver(), true);
  assert.deepEqual(calls.map(({ events }) => events.at(-1)), [
    "failed server_crashed unknown",
    "failed server_failed no",
  ]);
  assert.equal(pipe.ended, true);
  assert.equal(clock.pending, 0);
});

test("stop() does not wait for the calls that drain() waits for", async () => {
  const { server, calls, isOver, clock } = await draining();
  await server.stop();
  await settled();
  assert.equal(isOver(), true);
  assert.equal(calls.every(({ events }) => events.at(-1)?.startsWith("failed ")), true);
  assert.equal(clock.pending, 0);
});

test("a server without calls is drained at once", async () => {
  const { server, clock, alive } = openManaged({ behave: () => modern() });
  await server.start();
  await server.drain(10_000);
  assert.equal(alive().length, 0);
  assert.equal(clock.pending, 0);
});

test("who comes back with an answer while it drains is told to try again", async () => {
  const { server } = openManaged({
    behave: () =>
      modern(["echo"], {
        "tools/call": ({ id }, pipe) =>
          pipe.say({ id, result: { resultType: "input_required", requestState: "s" } }),
      }),
  });
  begin(server);
  await settled();
  await server.drain(10_000);
  const { events } = begin(server, { input: { state: "s" } });
  await settled();
  assert.equal(events.length, 1);
});
