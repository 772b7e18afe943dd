import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { heard, openPeer } from "../support/peer.ts";

function progress(token: unknown, n: number): object {
  return { method: "notifications/progress", params: { progressToken: token, progress: n } };
}

test("progress reaches the request whose id it names, and no other", () => {
  const { peer, pipe } = openPeer();
  const [one, two] = [heard(), heard()];
  peer.send("tools/call", () => "{}", one.listener);
  peer.send("tools/call", () => "{}", two.listener);
  pipe.say(progress(2, 1));
  pipe.say(progress(1, 2));
  pipe.say(progress(2, 3));
  assert.deepEqual(one.events, ['progress {"progressToken":1,"progress":2}']);
  assert.equal(two.events.length, 2);
});

test("progress is passed on byte for byte", () => {
  fc.assert(fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (members) => {
    const { peer, pipe } = openPeer();
    const { listener, events } = heard();
    peer.send("tools/call", () => "{}", listener);
    const params = JSON.stringify({ ...members, progressToken: 1 }, null, 1).replaceAll("\n", " ");
    pipe.say(`{"jsonrpc":"2.0","method":"notifications/progress","params":${params}}`);
    assert.deepEqual(events, [`progress ${params}`]);
  }));
});

const nobodys: Array<[why: string, params: unknown]> = [
  ["another number", { progressToken: 2 }],
  ["the number as text", { progressToken: "1" }],
  ["null", { progressToken: null }],
  ["true", { progressToken: true }],
  ["a list", { progressToken: [1] }],
  ["nothing", {}],
  ["params that are a list", [1]],
  ["no params", undefined],
];

for (const [why, params] of nobodys) {
  test(`progress for ${why} reaches nobody`, () => {
    const { peer, pipe, notified } = openPeer();
    const { listener, events } = heard();
    peer.send("tools/call", () => "{}", listener);
    pipe.say({ method: "notifications/progress", params });
    assert.deepEqual(events, []);
    assert.deepEqual(notified, []);
  });
}

test("progress after the answer, or after a cancel, reaches nobody", () => {
  const { peer, pipe } = openPeer();
  const [answered, cancelled] = [heard(), heard()];
  peer.send("tools/call", () => "{}", answered.listener);
  const withdraw = peer.send("tools/call", () => "{}", cancelled.listener);
  pipe.say({ id: 1, result: {} });
  withdraw("The client has left");
  pipe.say(progress(1, 9));
  pipe.say(progress(2, 9));
  assert.deepEqual(answered.events, ["result {}"]);
  assert.deepEqual(cancelled.events, []);
});
