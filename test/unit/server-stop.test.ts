import assert from "node:assert/strict";
import { test } from "node:test";
import { GatewayError } from "../../src/errors.ts";
import { begin } from "../support/exchange.ts";
import { type Behaviour, silent, wellBehaved } from "../support/pipe.ts";
import { type Bench, openServer } from "../support/server.ts";
import { settled } from "../support/settled.ts";

/** A server on its way up to `stage`, and what lets it go on from there. */
async function startedUpTo(stage: Stage): Promise<Bench & { readonly goOn: () => Promise<void> }> {
  let launch: () => void = () => {};
  const gates: Readonly<Record<Stage, Behaviour>> = {
    launch: wellBehaved(),
    initialize: wellBehaved([], { initialize: silent }),
    "tools/list": wellBehaved([], { "tools/list": silent }),
    ready: wellBehaved(),
  };
  const bench = openServer({
    behave: () => gates[stage],
    remembered: "nothing",
    ...(stage === "launch" &&
      { launched: () => new Promise<void>((resolve) => launch = resolve) }),
  });
  void bench.server.start().catch(() => {});
  await settled();
  const goOn = async (): Promise<void> => {
    launch();
    const [pipe] = bench.pipes;
    for (const { id, method } of pipe?.received() ?? []) {
      if (method === stage && pipe !== undefined) {
        wellBehaved()({ ...(id && { id }), method }, pipe);
      }
    }
    await settled();
  };
  return { ...bench, goOn };
}

const stages = ["launch", "initialize", "tools/list", "ready"] as const;
type Stage = (typeof stages)[number];

const ways: Array<[what: string, run: (bench: Bench) => Promise<unknown>]> = [
  ["stop()", ({ server }) => server.stop()],
  ["stop() twice", ({ server }) => Promise.all([server.stop(), server.stop()])],
  ["rest() and stop()", ({ server }) => Promise.all([server.rest(), server.stop()])],
  ["stop() and rest()", ({ server }) => Promise.all([server.stop(), server.rest()])],
  ["a call, rest() and stop()", ({ server }) => {
    begin(server);
    return Promise.all([server.rest(), server.stop()]);
  }],
  ["rest(), a call and stop()", ({ server }) => {
    const rest = server.rest();
    begin(server);
    return Promise.all([rest, server.stop()]);
  }],
];

for (const stage of stages) {
  for (const [what, run] of ways) {
    test(`${what} at the stage "${stage}" leaves no process running, now or later`, async () => {
      const bench = await startedUpTo(stage);
      // A server that is ready has had a second one for its lists.
      const started = stage === "ready" ? 2 : 1;
      let over = false;
      const ending = run(bench).then(() => over = true);
      await settled();
      if (!over) await bench.goOn();
      await ending;
      assert.equal(bench.pipes.length, started);
      assert.equal(bench.pipes.every(({ ended }) => ended), true);
      assert.equal(bench.server.containerId, undefined);
      const late = begin(bench.server);
      await bench.goOn();
      assert.deepEqual(late.events, ["failed server_failed no"]);
      assert.equal(bench.pipes.length, started);
      assert.equal(bench.clock.pending, 0);
    });
  }

  test(`stop() at the stage "${stage}" is no failure of the server: nothing is logged`, async () => {
    const bench = await startedUpTo(stage);
    const stopping = bench.server.stop();
    await bench.goOn();
    await stopping;
    assert.deepEqual(bench.log, []);
  });
}

test("stop() while the server starts does not wait for its handshake", async () => {
  for (const stage of ["initialize", "tools/list"] as const) {
    const bench = await startedUpTo(stage);
    await bench.server.stop();
    assert.equal(bench.pipes[0]?.ended, true);
  }
});

test("stop() during the launch ends the process as soon as it is there, unasked", async () => {
  const bench = await startedUpTo("launch");
  const stopping = bench.server.stop();
  await bench.goOn();
  await stopping;
  assert.deepEqual(bench.pipes[0]?.stops, [0]);
  assert.deepEqual(bench.pipes[0]?.lines, []);
});

test("stop() lets a ready server end by itself first", async () => {
  const bench = await startedUpTo("ready");
  await bench.server.stop();
  assert.equal(bench.pipes[0]?.stops[0], 2_000);
});

test("those who wait for a start that stop() ends are told so", async () => {
  const bench = await startedUpTo("initialize");
  const waiting = bench.server.start();
  const told = assert.rejects(waiting, { code: "server_failed", message: /stopped$/ });
  await bench.server.stop();
  await told;
});

test("stop() of a server that was never needed starts nothing", async () => {
  const bench = openServer();
  await bench.server.stop();
  await assert.rejects(bench.server.start());
  assert.equal(bench.pipes.length, 0);
});

test("stop() waits until the process is gone", async () => {
  const bench = await startedUpTo("ready");
  const [pipe] = bench.pipes;
  assert.ok(pipe);
  pipe.stubborn = true;
  let over = false;
  const stopping = bench.server.stop().then(() => over = true);
  await settled();
  assert.equal(over, false);
  pipe.end({ reason: "closed" });
  await stopping;
});

test("after rest() the server is cold, and the next call starts what it needs", async () => {
  const bench = await startedUpTo("ready");
  await bench.server.rest();
  assert.equal(bench.server.containerId, undefined);
  assert.deepEqual(bench.log, []);
  const { events } = begin(bench.server);
  await settled();
  assert.equal(bench.pipes.length, 3);
  assert.equal(events.length, 2);
});

test("a call while the server goes to rest waits for it and starts it again", async () => {
  const bench = await startedUpTo("ready");
  const [pipe] = bench.pipes;
  assert.ok(pipe);
  pipe.stubborn = true;
  const resting = bench.server.rest();
  pipe.broken = new GatewayError("server_failed", "Cannot write: it has been told to end");
  const { events } = begin(bench.server);
  await settled();
  assert.deepEqual([bench.pipes.length, events], [2, []]);
  pipe.end({ reason: "closed" });
  await resting;
  await settled();
  assert.equal(bench.pipes.length, 3);
  assert.equal(events.length, 2);
});

test("rest() of a cold server does nothing", async () => {
  const bench = openServer();
  await bench.server.rest();
  assert.equal(bench.pipes.length, 0);
  await bench.server.start();
});
