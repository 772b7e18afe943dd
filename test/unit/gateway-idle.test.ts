import assert from "node:assert/strict";
import { test } from "node:test";
import { openGateway, openHanging } from "../support/gateway.ts";
import { hanging } from "../support/pipe.ts";
import { settled } from "../support/settled.ts";

/** A gateway with a call's server at hand, and whether it has become idle. */
async function watched() {
  const bench = await openHanging();
  let idle = false;
  const wait = (ms: number) => void bench.gateway.idle(ms).then(() => idle = true);
  return { ...bench, wait, isIdle: () => idle };
}

test("idle() resolves at once when nothing is in flight", async () => {
  const { wait, isIdle, clock } = await watched();
  const before = clock.pending;
  wait(10_000);
  await settled();
  assert.equal(isIdle(), true);
  assert.equal(clock.pending, before);
});

const ends: Array<[how: string, end: (bench: Awaited<ReturnType<typeof watched>>) => void]> = [
  ["is answered", ({ pipe }) => pipe.say({ id: 3, result: {} })],
  ["fails", ({ pipe }) => pipe.say({ id: 3, error: { code: 1, message: "no" } })],
  ["is cancelled", ({ gateway }) => gateway.cancel("x", "The client has left")],
  ["loses its server", ({ pipe }) => pipe.end({ code: 1 })],
  ["reaches its deadline", ({ clock }) => clock.advance(5_000)],
];

for (const [how, end] of ends) {
  test(`idle() resolves when the last call ${how}`, async () => {
    const bench = await watched();
    bench.callTool("a__echo", "", { id: "x", deadlineMs: 5_000 });
    bench.wait(10_000);
    await settled();
    assert.equal(bench.isIdle(), false);
    end(bench);
    await settled();
    assert.equal(bench.isIdle(), true);
    assert.equal(bench.gateway.inFlight, 0);
  });
}

test("idle() waits for every call", async () => {
  const { callTool, wait, isIdle, pipe } = await watched();
  callTool("a__echo");
  callTool("a__echo");
  wait(10_000);
  await settled();
  pipe.say({ id: 3, result: {} });
  await settled();
  assert.equal(isIdle(), false);
  pipe.say({ id: 4, result: {} });
  await settled();
  assert.equal(isIdle(), true);
});

test("idle() waits no longer than it was told", async () => {
  const { callTool, wait, isIdle, clock } = await watched();
  callTool("a__echo", "", { deadlineMs: 60_000 });
  wait(10_000);
  clock.advance(9_999);
  await settled();
  assert.equal(isIdle(), false);
  clock.advance(1);
  await settled();
  assert.equal(isIdle(), true);
});

test("stop() cancels what is in flight, ends every server, and takes no call any more", async () => {
  const bench = openGateway({
    a: { behave: hanging },
    b: {},
  });
  await bench.gateway.start();
  const events = bench.callTool("a__echo");
  await settled();
  await bench.gateway.stop();
  assert.deepEqual(events, ["accepted"]);
  for (const { pipes } of Object.values(bench.servers)) assert.equal(pipes[0]?.ended, true);
  const late = bench.callTool("a__echo");
  await settled();
  assert.match(late[0] ?? "", /it is being stopped/);
});
