import assert from "node:assert/strict";
import { test } from "node:test";
import { begin } from "../support/exchange.ts";
import { openManaged } from "../support/managed.ts";
import { modern, type Pipe, silent } from "../support/pipe.ts";
import { settled } from "../support/settled.ts";

const hanging = () => modern(["echo"], { "tools/call": silent });

/** A server that carries out two calls at once and lets three wait; it is ready. */
async function busy(calls: number) {
  const bench = openManaged({ life: { concurrency: 2, queue: 3 }, behave: hanging });
  await bench.server.start();
  const [pipe] = bench.pipes as [Pipe];
  const spent = Array.from({ length: calls }, () => ({ queueMs: 0, startMs: 0 }));
  const begun = spent.map((each, n) =>
    begin(bench.server, { params: `{"name":"c${n}"}`, spent: each })
  );
  await settled();
  const answer = async (nth: number): Promise<void> => {
    const call = pipe.received("tools/call").find(({ params }) => params?.["name"] === `c${nth}`);
    pipe.say({ id: call?.id, result: {} });
    await settled();
  };
  const written = () => pipe.received("tools/call").map(({ params }) => params?.["name"]);
  return { ...bench, pipe, spent, begun, answer, written };
}

test("as many calls as it may carry out reach it, the others wait in their order", async () => {
  const { written, answer } = await busy(4);
  assert.deepEqual(written(), ["c0", "c1"]);
  await answer(1);
  assert.deepEqual(written(), ["c0", "c1", "c2"]);
  await answer(0);
  assert.deepEqual(written(), ["c0", "c1", "c2", "c3"]);
});

test("a call more than may wait is refused at once: it has not run", async () => {
  const { begun, written } = await busy(6);
  assert.deepEqual(begun[5]?.events, ["failed overloaded no"]);
  assert.match(begun[5]?.failures[0] ?? "", /carries out 2 calls and 3 more wait/);
  assert.deepEqual(begun.slice(0, 5).map(({ events }) => events.length), [1, 1, 0, 0, 0]);
  assert.equal(written().length, 2);
});

test("a call that is withdrawn while it waits never reaches the server, and waits no more", async () => {
  const { begun, server, written, answer } = await busy(5);
  begun[2]?.withdraw("No longer needed");
  const late = begin(server, { params: '{"name":"late"}' });
  for (const nth of [0, 1, 3, 4]) await answer(nth);
  assert.deepEqual(written(), ["c0", "c1", "c3", "c4", "late"]);
  assert.deepEqual(begun[2]?.events, []);
  assert.deepEqual(late.events, ["accepted"]);
});

test("a call that is withdrawn while it runs makes room for the next", async () => {
  const { begun, written } = await busy(3);
  begun[0]?.withdraw("No longer needed");
  assert.deepEqual(written(), ["c0", "c1", "c2"]);
});

test("where the time went is told: in the queue, or for the start", async () => {
  const { clock, spent, answer } = await busy(3);
  clock.advance(1_500);
  await answer(0);
  assert.deepEqual(spent, [
    { queueMs: 0, startMs: 0 },
    { queueMs: 0, startMs: 0 },
    { queueMs: 1_500, startMs: 0 },
  ]);
  let launch: () => void = () => {};
  const cold = openManaged({
    behave: () => modern(),
    launched: () => new Promise<void>((resolve) => launch = resolve),
  });
  const own = { queueMs: 0, startMs: 0 };
  begin(cold.server, { spent: own });
  await settled();
  cold.clock.advance(700);
  launch();
  await settled();
  assert.deepEqual(own, { queueMs: 0, startMs: 700 });
});

test("a call that waits for a person takes no place", async () => {
  const { server, clock } = openManaged({
    life: { concurrency: 1, queue: 1 },
    behave: () =>
      modern(["echo"], {
        "tools/call": ({ id }, pipe) =>
          pipe.say({ id, result: { resultType: "input_required", requestState: "s" } }),
      }),
  });
  for (let n = 0; n < 5; n++) {
    const { events } = begin(server, { client: `c${n}` });
    await settled();
    assert.match(events.at(-1) ?? "", /^input/);
  }
  await server.stop();
  assert.equal(clock.pending, 0);
});

test("who listens takes no place", async () => {
  const { server } = openManaged({ life: { concurrency: 1 }, behave: () => modern() });
  for (let n = 0; n < 5; n++) server.listen([`x://${n}`], { updated: () => {}, ended: () => {} });
  const { events } = begin(server);
  await settled();
  assert.equal(events.length, 2);
});

test("the limit is of the server, not of its processes", async () => {
  const { server, pipes } = openManaged({
    life: { lifetime: "call", concurrency: 2 },
    behave: hanging,
  });
  for (let n = 0; n < 5; n++) begin(server, { client: `c${n}` });
  await settled();
  assert.equal(pipes.filter((pipe) => pipe.received("tools/call").length > 0).length, 2);
});

test("ten thousand calls that fail at once are ended without a deep stack", async () => {
  const { server } = openManaged({
    life: { concurrency: 1, queue: 9_999 },
    behave: () => modern(),
    launched: () => Promise.reject(new TypeError("x")),
  });
  const begun = Array.from({ length: 10_000 }, () => begin(server));
  await settled();
  await settled();
  assert.equal(begun.every(({ events }) => events.length === 1), true);
});

test("clients take turns: one with many calls does not keep another waiting for all of them", async () => {
  const bench = openManaged({ life: { concurrency: 1, queue: 1_000 }, behave: hanging });
  await bench.server.start();
  const [pipe] = bench.pipes as [Pipe];
  const call = (client: string, name: string) =>
    begin(bench.server, { client, params: `{"name":"${name}"}` });
  for (let n = 0; n < 500; n++) call("greedy", `g${n}`);
  call("modest", "m0");
  call("modest", "m1");
  call("other", "o0");
  const order: unknown[] = [];
  for (let n = 0; n < 7; n++) {
    await settled();
    const latest = pipe.received("tools/call").at(-1);
    order.push(latest?.params?.["name"]);
    pipe.say({ id: latest?.id, result: {} });
  }
  assert.deepEqual(order, ["g0", "g1", "m0", "o0", "g2", "m1", "g3"]);
});
