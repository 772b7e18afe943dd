import assert from "node:assert/strict";
import { test } from "node:test";
import { heard } from "../support/peer.ts";
import { hanging } from "../support/pipe.ts";
import { openServer } from "../support/server.ts";
import { settled } from "../support/settled.ts";

test("a crash ends the calls in flight: they may have run", async () => {
  const { server, pipes, log } = openServer({ behave: hanging });
  const { peer } = await server.running();
  const heards = [heard(), heard()];
  for (const { listener } of heards) peer.send("tools/call", () => "{}", listener);
  pipes[0]?.complain("panic: the end");
  pipes[0]?.end({ code: 7 });
  await settled();
  for (const { events } of heards) assert.deepEqual(events, ["lost server_crashed unknown"]);
  assert.deepEqual(log, [{
    level: "warn",
    message: 'Server "probe" ended: it exited with code 7; the next call starts it again',
    fields: { stderr: "panic: the end" },
  }]);
});

test("the next call after a crash starts it again, without a wait", async () => {
  const { server, pipes } = openServer();
  const first = await server.running();
  pipes[0]?.end({ code: 7 });
  await settled();
  assert.equal(server.containerId, undefined);
  const [second, third] = await Promise.all([server.running(), server.running()]);
  assert.equal(pipes.length, 2);
  assert.notEqual(second, first);
  assert.equal(second, third);
  const { listener, events } = heard();
  second.peer.send("tools/call", () => '{"name":"echo"}', listener);
  await settled();
  assert.equal(events.length, 1);
});

test("the tools stay known while it is cold", async () => {
  const { server, pipes } = openServer();
  await server.running();
  pipes[0]?.end({ code: 7 });
  await settled();
  assert.deepEqual(server.tools?.map(({ name }) => name), ["echo"]);
});

test("whoever got the server just before it ended is told that the call has not run", async () => {
  const { server, pipes } = openServer();
  const { peer } = await server.running();
  pipes[0]?.end({ code: 7 });
  await settled();
  assert.throws(() => peer.send("tools/call", () => "{}", heard().listener), {
    code: "server_crashed",
    executed: "no",
  });
});

test("what a process says after its end is not heard", async () => {
  const { server, pipes } = openServer({ behave: hanging });
  const { peer } = await server.running();
  const { listener, events } = heard();
  peer.send("tools/call", () => "{}", listener);
  pipes[0]?.end({ code: 7 });
  await settled();
  pipes[0]?.say({ id: 3, result: {} });
  assert.deepEqual(events, ["lost server_crashed unknown"]);
});

test("it starts again as often as it crashes", async () => {
  const { server, pipes } = openServer();
  for (let n = 1; n <= 20; n++) {
    await server.running();
    assert.equal(pipes.length, n);
    pipes.at(-1)?.end({ code: 1 });
    await settled();
  }
});
