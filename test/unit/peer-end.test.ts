import assert from "node:assert/strict";
import { test } from "node:test";
import { GatewayError } from "../../src/errors.ts";
import { heard, openPeer } from "../support/peer.ts";

const CRASH = new GatewayError("server_crashed", "It ended during the call");
const UNREAD = new GatewayError("overloaded", "Cannot write: it does not read its input");

test("a cancelled request tells the server once, and hears nothing any more", () => {
  const { peer, pipe } = openPeer();
  const { listener, events } = heard();
  const withdraw = peer.send("tools/call", () => "{}", listener);
  withdraw('The client "x"\nhas left');
  withdraw("again");
  assert.deepEqual(pipe.lines.slice(1), [
    '{"jsonrpc":"2.0","method":"notifications/cancelled",' +
    '"params":{"requestId":1,"reason":"The client \\"x\\"\\nhas left"}}',
  ]);
  pipe.say({ id: 1, result: {} });
  peer.lose(CRASH);
  assert.deepEqual(events, []);
  assert.equal(peer.inFlight, 0);
});

test("a request that is answered needs no cancel", () => {
  const { peer, pipe } = openPeer();
  const withdraw = peer.send("tools/call", () => "{}", heard().listener);
  pipe.say({ id: 1, result: {} });
  withdraw("Deadline");
  assert.equal(pipe.lines.length, 1);
});

test("a cancel that cannot be written is dropped: nobody waits for it", () => {
  const { peer, pipe } = openPeer();
  const { listener, events } = heard();
  const withdraw = peer.send("tools/call", () => "{}", listener);
  pipe.broken = UNREAD;
  withdraw("Deadline");
  assert.equal(peer.inFlight, 0);
  peer.lose(CRASH);
  assert.deepEqual(events, []);
});

test("a request that cannot be written throws why, and leaves nothing waiting", () => {
  const { peer, pipe } = openPeer();
  const { listener, events } = heard();
  pipe.broken = UNREAD;
  assert.throws(() => peer.send("tools/call", () => "{}", listener), UNREAD);
  assert.equal(peer.inFlight, 0);
  pipe.broken = undefined;
  peer.send("tools/call", () => "{}", heard().listener);
  pipe.say({ id: 1, result: { late: true } });
  peer.lose(CRASH);
  assert.deepEqual(events, []);
});

test("the loss of the server ends every request, once each", () => {
  const { peer, pipe } = openPeer();
  const heards = [heard(), heard(), heard()];
  const [withdraw] = heards.map(({ listener }) => peer.send("tools/call", () => "{}", listener));
  peer.lose(CRASH);
  peer.lose(new GatewayError("server_failed", "Another reason"));
  withdraw?.("late");
  pipe.say({ id: 2, result: {} });
  assert.deepEqual(heards.map(({ events }) => events), [
    ["lost server_crashed unknown"],
    ["lost server_crashed unknown"],
    ["lost server_crashed unknown"],
  ]);
  assert.equal(pipe.lines.length, 3);
  assert.equal(peer.inFlight, 0);
});

test("a request after the loss fails with its cause, and says that it has not run", () => {
  const { peer, pipe } = openPeer();
  peer.lose(CRASH);
  const { listener, events } = heard();
  assert.throws(() => peer.send("tools/call", () => "{}", listener), {
    code: "server_crashed",
    message: CRASH.message,
    executed: "no",
  });
  assert.deepEqual(events, []);
  assert.deepEqual(pipe.lines, []);
});

test("a listener that asks again while the server is lost is told so at once", () => {
  const { peer } = openPeer();
  const again: unknown[] = [];
  peer.send("tools/call", () => "{}", {
    ...heard().listener,
    lost: () => {
      try {
        peer.send("tools/call", () => "{}", heard().listener);
      } catch (error) {
        again.push(error);
      }
    },
  });
  peer.lose(CRASH);
  assert.equal(again.length, 1);
});

test("request() that cannot be written waits for the end, which says more", async () => {
  const { peer, pipe } = openPeer();
  pipe.broken = new GatewayError("server_failed", "Cannot write: it has ended");
  const result = peer.request("initialize", "{}");
  const cause = new GatewayError("server_failed", "It exited with code 3");
  peer.lose(cause);
  await assert.rejects(result, cause);
});

test("request() after the loss rejects with its cause", async () => {
  const { peer } = openPeer();
  peer.lose(CRASH);
  await assert.rejects(peer.request("tools/list", "{}"), { code: "server_crashed" });
});
