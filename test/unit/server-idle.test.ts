import assert from "node:assert/strict";
import { test } from "node:test";
import { begin } from "../support/exchange.ts";
import { openManaged } from "../support/managed.ts";
import { modern, type Pipe, silent } from "../support/pipe.ts";
import { settled } from "../support/settled.ts";

const IDLE = { idleMs: 10_000 };

/** A modern server that leaves its calls to the test, and one whose calls end in a question. */
const hanging = () => modern(["echo"], { "tools/call": silent });
const asking = () =>
  modern(["echo"], {
    "tools/call": ({ id, params }, pipe) =>
      pipe.say({
        id,
        result: params?.["requestState"] === undefined
          ? { resultType: "input_required", inputRequests: {}, requestState: "s1" }
          : { content: [] },
      }),
  });

test("its states on the way up and down are told", async () => {
  const { server, states, clock } = openManaged({ life: IDLE, behave: () => modern() });
  assert.equal(server.state, "cold");
  begin(server);
  await settled();
  assert.deepEqual(states, ["starting", "ready"]);
  clock.advance(10_000);
  await settled();
  assert.deepEqual(states, ["starting", "ready", "draining", "cold"]);
});

test("without a call for long enough its processes end, and its lists stay", async () => {
  const { server, alive, clock, journal } = openManaged({ life: IDLE, behave: () => modern() });
  await server.start();
  clock.advance(9_999);
  await settled();
  assert.equal(alive().length, 1);
  clock.advance(1);
  await settled();
  assert.equal(alive().length, 0);
  assert.equal(server.processes, 0);
  assert.deepEqual(server.lists?.tools.map(({ key }) => key), ["echo"]);
  assert.deepEqual(journal.map(({ type }) => type), ["start", "stop"]);
  assert.deepEqual(journal.at(-1), {
    type: "stop",
    server: "probe",
    image: undefined,
    container: "c0ffee",
    message: "idle",
  });
});

test("each call begins the wait anew, and the next call after it starts the server again", async () => {
  const { server, pipes, clock } = openManaged({ life: IDLE, behave: () => modern() });
  for (let n = 0; n < 5; n++) {
    begin(server);
    await settled();
    clock.advance(9_000);
    await settled();
  }
  assert.equal(pipes.length, 1);
  clock.advance(1_000);
  await settled();
  const { events } = begin(server);
  await settled();
  assert.equal(pipes.length, 2);
  assert.deepEqual(events.map((event) => event.split(" ")[0]), ["accepted", "result"]);
});

test("one that is never to be stopped is not", async () => {
  const { server, alive, clock } = openManaged({
    life: { idleMs: undefined },
    behave: () => modern(),
  });
  await server.start();
  clock.advance(24 * 3_600_000);
  await settled();
  assert.equal(alive().length, 1);
});

test("it is not idle while a call runs", async () => {
  const { server, alive, clock, pipes } = openManaged({ life: IDLE, behave: hanging });
  const { events } = begin(server);
  await settled();
  clock.advance(60_000);
  await settled();
  assert.equal(alive().length, 1);
  const [pipe] = pipes as [Pipe];
  pipe.say({ id: pipe.received("tools/call")[0]?.id, result: {} });
  await settled();
  assert.equal(events.length, 2);
  clock.advance(10_000);
  await settled();
  assert.equal(alive().length, 0);
});

test("it is not idle while a withdrawn call has only just ended", async () => {
  const { server, alive, clock } = openManaged({ life: IDLE, behave: hanging });
  const call = begin(server);
  await settled();
  call.withdraw("No longer needed");
  clock.advance(9_999);
  await settled();
  assert.equal(alive().length, 1);
  clock.advance(1);
  await settled();
  assert.equal(alive().length, 0);
});

test("it is not idle while somebody listens", async () => {
  const { server, alive, clock } = openManaged({ life: IDLE, behave: () => modern() });
  await server.start();
  const unlisten = server.listen(["x://a"], { updated: () => {}, ended: () => {} });
  clock.advance(60_000);
  await settled();
  assert.equal(alive().length, 1);
  unlisten();
  unlisten();
  clock.advance(10_000);
  await settled();
  assert.equal(alive().length, 0);
});

test("it is not idle while a call waits for a person, and six minutes are enough for one", async () => {
  const { server, alive, clock } = openManaged({ life: IDLE, behave: asking });
  const call = begin(server);
  await settled();
  assert.equal(call.question().state, "s1");
  clock.advance(6 * 60_000 - 1);
  await settled();
  assert.equal(alive().length, 1);
  clock.advance(10_001);
  await settled();
  assert.equal(alive().length, 0);
});

test("who comes back with an answer, or does not want to any more, ends the wait for the person", async () => {
  for (const how of ["answer", "withdraw"] as const) {
    const { server, alive, clock } = openManaged({ life: IDLE, behave: asking });
    const call = begin(server);
    await settled();
    if (how === "withdraw") call.withdraw("Never mind");
    else begin(server, { input: { state: "s1" } });
    await settled();
    clock.advance(10_000);
    await settled();
    assert.equal(alive().length, 0, how);
  }
});

test("it is not idle while a task of it runs", async () => {
  let status = "working";
  const { server, alive, clock } = openManaged({
    life: IDLE,
    behave: () =>
      modern(["echo"], {
        "tools/call": ({ id }, pipe) =>
          pipe.say({ id, result: { resultType: "task", taskId: "t", status: "working" } }),
        "tasks/get": ({ id }, pipe) =>
          pipe.say({ id, result: { resultType: "complete", taskId: "t", status } }),
      }),
  });
  const ask = async (): Promise<void> => {
    begin(server, { method: "tasks/get", params: '{"taskId":"t"}' });
    await settled();
  };
  begin(server);
  await settled();
  clock.advance(3_600_000);
  await ask();
  clock.advance(3_600_000);
  await settled();
  assert.equal(alive().length, 1);
  status = "completed";
  await ask();
  clock.advance(70_000);
  await settled();
  assert.equal(alive().length, 0);
});

test("a listing that is on its way is not idle: the next call need not wait for it", async () => {
  let launches = 0;
  const { server, clock } = openManaged({
    era: "legacy",
    life: { idleMs: 1_000 },
    launched: () => ++launches === 1 ? Promise.resolve() : new Promise(() => {}),
  });
  begin(server);
  await settled();
  assert.equal(launches, 2);
  clock.advance(5_000);
  const { events } = begin(server);
  await settled();
  assert.equal(events.length, 2);
});

test("rest() lets it go cold at once", async () => {
  const { server, alive } = openManaged({ life: IDLE, behave: () => modern() });
  await server.start();
  await server.rest();
  assert.equal(alive().length, 0);
  assert.equal(server.state, "cold");
  begin(server);
  await settled();
  assert.equal(server.state, "ready");
});

test("a call that comes in the very moment in which it goes to rest is not written to what ends", async () => {
  const { server, pipes, clock } = openManaged({ life: IDLE, behave: () => modern() });
  await server.start();
  clock.advance(10_000);
  const { events } = begin(server);
  await settled();
  assert.deepEqual(pipes[0]?.received("tools/call"), []);
  assert.deepEqual(events.map((event) => event.split(" ", 1)[0]), ["accepted", "result"]);
  assert.equal(pipes.length, 2);
});
