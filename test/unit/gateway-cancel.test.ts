import assert from "node:assert/strict";
import { test } from "node:test";
import { GatewayError } from "../../src/errors.ts";
import { errorOf, openGateway, openHanging } from "../support/gateway.ts";
import { hanging } from "../support/pipe.ts";
import { settled } from "../support/settled.ts";

/** A gateway whose server starts when the test says so. */
function starting(outcome: "starts" | "fails" = "starts") {
  let launch: () => void = () => {};
  const gate = new Promise<void>((resolve, reject) => {
    launch = outcome === "starts"
      ? resolve
      : () => reject(new GatewayError("image_missing", "Cannot find image"));
  });
  const bench = openGateway({ a: { launched: () => gate, behave: hanging } });
  return { ...bench, launch };
}

test("a call that is cancelled while its server starts never reaches it", async () => {
  const { gateway, callTool, received, launch } = starting();
  const events = callTool("a__echo", "", { id: "x" });
  await settled();
  gateway.cancel("x", "The client has left");
  launch();
  await settled();
  assert.deepEqual(events, []);
  assert.deepEqual(received(), []);
});

test("a call that is cancelled while its server fails to start hears nothing", async () => {
  const { gateway, callTool, launch } = starting("fails");
  const events = callTool("a__echo", "", { id: "x" });
  await settled();
  gateway.cancel("x", "The client has left");
  launch();
  await settled();
  assert.deepEqual(events, []);
});

test("a call that is cancelled while it runs is cancelled at its server, and hears nothing", async () => {
  const { gateway, callTool, received, pipe } = await openHanging();
  const events = callTool("a__echo", ',"_meta":{"progressToken":1}', { id: "x" });
  await settled();
  gateway.cancel("x", "The client has left");
  gateway.cancel("x", "again");
  assert.deepEqual(received().slice(1), [
    '{"jsonrpc":"2.0","method":"notifications/cancelled",' +
    '"params":{"requestId":3,"reason":"The client has left"}}',
  ]);
  pipe.say({ method: "notifications/progress", params: { progressToken: 3, progress: 1 } });
  pipe.say({ id: 3, result: {} });
  pipe.end({ code: 1 });
  await settled();
  assert.deepEqual(events, ["accepted"]);
});

test("a cancel after the end, or of a call that never was, does nothing", async () => {
  const { gateway, callTool, received, pipe } = await openHanging();
  const events = callTool("a__echo", "", { id: "x" });
  await settled();
  pipe.say({ id: 3, result: {} });
  gateway.cancel("x", "late");
  gateway.cancel("never", "The client has left");
  gateway.cancel("", "");
  assert.equal(received().length, 1);
  assert.equal(events.length, 2);
});

test("a cancel that the server cannot be told ends the call all the same", async () => {
  const { gateway, callTool, pipe, clock } = await openHanging();
  const before = clock.pending;
  const events = callTool("a__echo", "", { id: "x" });
  await settled();
  pipe.broken = new GatewayError("overloaded", "Cannot write: it does not read its input");
  gateway.cancel("x", "The client has left");
  await settled();
  assert.deepEqual(events, ["accepted"]);
  assert.equal(clock.pending, before);
});

test("the deadline ends a call that runs: it may have run, and its server is told", async () => {
  const { callTool, received, clock } = await openHanging();
  const events = callTool("a__echo", "", { deadlineMs: 1_500 });
  await settled();
  clock.advance(1_499);
  assert.equal(events.length, 1);
  clock.advance(1);
  assert.deepEqual(errorOf(events), {
    code: 1005,
    message: "The tool did not answer within 1.5 s: it may still have run",
    data: { code: "call_timeout", executed: "unknown", retryable: false },
  });
  assert.match(received()[1] ?? "", /notifications\/cancelled.*Deadline/);
  clock.advance(60_000);
  await settled();
  assert.equal(events.length, 2);
});

test("the deadline of a call whose server has not started says that it has not run", async () => {
  const { callTool, received, clock, launch } = starting();
  const events = callTool("a__echo", "", { deadlineMs: 1_500 });
  await settled();
  clock.advance(1_500);
  const { code, message, data } = errorOf(events);
  assert.equal(code, 1005);
  assert.equal(message, "The server did not start within 1.5 s: the tool has not run");
  assert.equal(data.executed, "no");
  launch();
  await settled();
  assert.equal(events.length, 1);
  assert.deepEqual(received(), []);
});

test("a deadline of 0 is over at once", async () => {
  const { callTool, clock } = await openHanging();
  const events = callTool("a__echo", "", { deadlineMs: 0 });
  clock.advance(0);
  await settled();
  assert.equal(errorOf(events).data.code, "call_timeout");
});

test("cancelAll() cancels each call in flight once, at its own server", async () => {
  const bench = openGateway({ a: { behave: hanging }, b: { behave: hanging } });
  await bench.gateway.start();
  const before = bench.clock.pending;
  const calls = ["a", "a", "b"].map((server) => bench.callTool(`${server}__echo`));
  await settled();
  bench.gateway.cancelAll("The tunnel was lost");
  bench.gateway.cancelAll("again");
  const cancelled = bench.received().filter((line) => /notifications\/cancelled/.test(line));
  assert.equal(cancelled.length, 3);
  assert.deepEqual(calls, [["accepted"], ["accepted"], ["accepted"]]);
  assert.equal(bench.clock.pending, before);
});

test("a call under the id of one that was cancelled is a call of its own", async () => {
  const { gateway, callTool, launch, clock } = starting("fails");
  const first = callTool("a__echo", "", { id: "x" });
  await settled();
  gateway.cancel("x", "The client has left");
  const second = callTool("a__echo", "", { id: "x" });
  launch();
  await settled();
  assert.deepEqual(first, []);
  assert.equal(errorOf(second).data.code, "image_missing");
  assert.equal(gateway.inFlight, 0);
  assert.equal(clock.pending, 0);
});

test("the end of a cancelled call does not end another under its id", async () => {
  const { gateway, callTool, launch, received } = starting();
  callTool("a__echo", "", { id: "x" });
  await settled();
  gateway.cancel("x", "The client has left");
  const second = callTool("a__echo", "", { id: "x" });
  launch();
  await settled();
  assert.deepEqual(second, ["accepted"]);
  assert.equal(gateway.inFlight, 1);
  gateway.cancelAll("The tunnel was lost");
  assert.equal(received().length, 2);
});
