import assert from "node:assert/strict";
import { test } from "node:test";
import { GatewayError } from "../../src/errors.ts";
import { heard, openPeer } from "../support/peer.ts";

const ids = ["1", "0", "-7", "1.50", "1e3", '"a"', '""', '"1"', '"\\u0061\\n"', '"}\\"{"'];

for (const id of ids) {
  test(`a ping of the server with id ${id} is answered with that id`, () => {
    const { pipe } = openPeer();
    pipe.say(`{"jsonrpc":"2.0","id":${id},"method":"ping"}`);
    assert.deepEqual(pipe.lines, [`{"jsonrpc":"2.0","id":${id},"result":{}}`]);
  });
}

test("no other method of a server is served: no capability was declared", () => {
  const { pipe } = openPeer();
  const methods = ["sampling/createMessage", "roots/list", "elicitation/create", "tools/call", ""];
  for (const method of methods) pipe.say({ id: method, method, params: { name: "x" } });
  assert.deepEqual(
    pipe.lines,
    methods.map((id) =>
      `{"jsonrpc":"2.0","id":${JSON.stringify(id)},` +
      '"error":{"code":-32601,"message":"Method not found"}}'
    ),
  );
});

test("a server's request is not taken for the answer to ours with the same id", () => {
  const { peer, pipe } = openPeer();
  const { listener, events } = heard();
  peer.send("tools/call", () => "{}", listener);
  pipe.say({ id: 1, method: "ping", result: { forged: true } });
  assert.deepEqual(events, []);
  assert.equal(peer.inFlight, 1);
});

test("notifications are told by their method, progress is not", () => {
  const { pipe, notified } = openPeer();
  pipe.say({ method: "notifications/tools/list_changed" });
  pipe.say({ method: "notifications/message", params: { level: "info", data: "x" } });
  pipe.say({ method: "notifications/progress", params: { progressToken: 1, progress: 1 } });
  assert.deepEqual(notified, ["notifications/tools/list_changed", "notifications/message"]);
  assert.deepEqual(pipe.lines, []);
});

test("a server that asks and does not read harms nobody", () => {
  const { peer, pipe } = openPeer();
  const { listener, events } = heard();
  peer.send("tools/call", () => "{}", listener);
  pipe.broken = new GatewayError("overloaded", "Cannot write: it does not read its input");
  pipe.say({ id: 1, method: "ping" });
  pipe.say({ id: 2, method: "roots/list" });
  pipe.say({ id: 1, result: {} });
  assert.deepEqual(events, ["result {}"]);
});
