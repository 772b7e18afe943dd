import assert from "node:assert/strict";
import { test } from "node:test";
import { GatewayError } from "../../src/errors.ts";
import { begin } from "../support/exchange.ts";
import { hanging, type Pipe } from "../support/pipe.ts";
import { openServer } from "../support/server.ts";
import { settled } from "../support/settled.ts";

/** Ends every process with exit code 7. */
async function crash(pipes: readonly Pipe[]): Promise<void> {
  for (const pipe of pipes) if (!pipe.ended) pipe.end({ code: 7 });
  await settled();
}

test("a crash ends the calls in flight: they may have run", async () => {
  const { server, pipes, log } = openServer({ behave: hanging });
  const begun = [begin(server), begin(server)];
  await settled();
  pipes[0]?.complain("panic: the end");
  pipes[0]?.end({ code: 7 });
  await settled();
  for (const { events } of begun) {
    assert.deepEqual(events, ["accepted", "failed server_crashed unknown"]);
  }
  assert.deepEqual(log, [{
    level: "warn",
    message: 'Server "probe" ended: it exited with code 7; the next call starts it again',
    fields: { stderr: "panic: the end" },
  }]);
});

test("the next call after a crash starts it again, without a wait and without a list", async () => {
  const { server, pipes } = openServer();
  await server.start();
  await crash(pipes);
  assert.equal(server.containerId, undefined);
  const begun = [begin(server), begin(server)];
  await settled();
  assert.equal(pipes.length, 3);
  for (const { events } of begun) {
    assert.deepEqual(events, ["accepted", 'result {"content":[{"type":"text","text":"echo"}]}']);
  }
});

test("the lists stay known while it is cold", async () => {
  const { server, pipes } = openServer();
  await server.start();
  await crash(pipes);
  assert.deepEqual(server.lists?.tools.map(({ key }) => key), ["echo"]);
});

test("what a process says after its end is not heard", async () => {
  const { server, pipes } = openServer({ behave: hanging });
  const { events } = begin(server);
  await settled();
  pipes[0]?.end({ code: 7 });
  await settled();
  pipes[0]?.say({ id: 3, result: {} });
  assert.deepEqual(events, ["accepted", "failed server_crashed unknown"]);
});

test("it starts again as often as it crashes", async () => {
  const { server, pipes } = openServer();
  await server.start();
  for (let n = 1; n <= 20; n++) {
    await crash(pipes);
    const { events } = begin(server);
    await settled();
    assert.equal(events.length, 2);
    assert.equal(pipes.filter(({ ended }) => !ended).length, 1);
  }
});

test("a call that a process does not take is given once more, to the next one", async () => {
  const { server, pipes } = openServer();
  await server.start();
  const [plain] = pipes as readonly [Pipe];
  plain.broken = new GatewayError("server_failed", "Cannot write: it has ended");
  const { events } = begin(server);
  await settled();
  assert.deepEqual(events, []);
  plain.end({ code: 7 });
  await settled();
  assert.equal(events.length, 2);
});
