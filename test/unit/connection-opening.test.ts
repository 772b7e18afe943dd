import assert from "node:assert/strict";
import { test } from "node:test";
import type { Header } from "../../src/tunnel/frame.ts";
import { HELLO, openConnection } from "../support/connection.ts";
import { callHeader, WELCOME } from "../support/fake-wire.ts";
import { settled } from "../support/settled.ts";

test("hello is the first thing that is said, and the only one before the welcome", async () => {
  const { wire, clock, connection, gateway } = await openConnection();
  clock.advance(9_999);
  assert.deepEqual(wire.frames(), [{ header: HELLO, payload: "" }]);
  assert.equal(wire.texts.length, 1);
  connection.offer(gateway.offer());
  assert.equal(wire.frames("offer").length, 0);
});

test("the welcome is told with the name of the tunnel", async () => {
  const { welcome, welcomed, wire } = await openConnection();
  welcome({ tunnel: "ada" });
  assert.deepEqual(welcomed, ["ada"]);
  assert.equal(wire.closedWith, undefined);
});

test("a worker that does not welcome the runner within 10 s is left", async () => {
  const { clock, wire, ended, timers } = await openConnection();
  clock.advance(10_000);
  assert.deepEqual(wire.closedWith, { code: 4400, reason: "No welcome in time" });
  assert.deepEqual(ended, [4400]);
  assert.equal(timers(), 0);
});

const premature: Header[] = [
  callHeader("x"),
  { type: "cancel", id: "x", reason: "" },
  { type: "drain", reason: "", deadlineMs: 1 },
];

for (const header of premature) {
  test(`a worker that says ${header.type} before welcome is left, and nothing is done`, async () => {
    const { wire, ended, received } = await openConnection();
    wire.say(header, '{"name":"a__echo"}');
    await settled();
    assert.equal(wire.closedWith?.code, 4400);
    assert.deepEqual(ended, [4400]);
    assert.deepEqual(received(), []);
    assert.equal(wire.frames().length, 1);
  });
}

test("a second welcome breaks the protocol", async () => {
  const { welcome, welcomed, wire } = await openConnection();
  welcome();
  welcome({ tunnel: "other" });
  assert.deepEqual(welcomed, ["default"]);
  assert.equal(wire.closedWith?.code, 4400);
});

test("a frame of a type that is not known is ignored, before the welcome and after", async () => {
  const { wire, welcome, welcomed } = await openConnection();
  const later = [
    '{"type":"add_server","name":"x","image":"evil"}',
    '{"type":"exec","command":["sh"]}\n{"x":1}',
    '{"type":"credit","bytes":1}',
  ];
  for (const text of later) wire.events.message(text);
  welcome();
  for (const text of later) wire.events.message(text);
  assert.deepEqual(welcomed, ["default"]);
  assert.equal(wire.closedWith, undefined);
  assert.equal(wire.frames().length, 1);
});

const broken: Array<[why: string, text: string]> = [
  ["no JSON", "hello"],
  ["nothing", ""],
  ["a frame without a type", "{}"],
  ["a list", "[]"],
  ["a call without a deadline", '{"type":"call","id":"x","method":"tools/call"}'],
  ["a call with an id that is a number", JSON.stringify({ ...callHeader("x"), id: 7 })],
  ["a call with a deadline of years", JSON.stringify(callHeader("x", { deadlineMs: 1e12 }))],
  ["a header without end", `{"type":"cancel","id":"x","reason":"${"x".repeat(70_000)}"}`],
  ["a runner's frame", '{"type":"result","id":"x"}\n{}'],
  ["a hello", JSON.stringify(HELLO)],
  ["an offer", '{"type":"offer","revision":1}\n{"servers":[]}'],
];

for (const [why, text] of broken) {
  test(`a worker that says ${why} is left with 4400, and the log is told once`, async () => {
    const { wire, welcome, ended, log } = await openConnection();
    welcome();
    wire.events.message(text);
    wire.events.message(text);
    assert.equal(wire.closedWith?.code, 4400);
    assert.deepEqual(ended, [4400]);
    assert.deepEqual(log.map(({ message }) => message), [
      "The worker has broken the protocol of the tunnel",
    ]);
  });
}

test("what a worker says in a broken frame cannot forge lines of the log", async () => {
  const { wire, log } = await openConnection();
  wire.events.message('{"type":"cancel","id":"\\u001b[2J\\nfine","reason":7}');
  assert.doesNotMatch(JSON.stringify(log), /\\u001b|\\n/);
});

test("after its end a connection does nothing, whatever the worker says", async () => {
  const { wire, welcome, connection, ended, received, timers } = await openConnection();
  welcome();
  connection.close(1000, "The runner has stopped");
  wire.say(callHeader("x"), '{"name":"a__echo"}');
  wire.say(WELCOME);
  wire.events.message("nonsense");
  wire.events.closed(1006, "");
  connection.close(1000, "again");
  await settled();
  assert.deepEqual(wire.closedWith, { code: 1000, reason: "The runner has stopped" });
  assert.deepEqual(ended, [1000]);
  assert.deepEqual(received(), []);
  assert.equal(timers(), 0);
});
