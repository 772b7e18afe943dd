import assert from "node:assert/strict";
import { test } from "node:test";
import { decodeOffer } from "../../src/mcp/offer.ts";
import { openConnection } from "../support/connection.ts";
import { type Behaviour, tool, wellBehaved } from "../support/pipe.ts";

/** A server with one tool whose description has `length` characters. */
function wordy(length: number): () => Behaviour {
  const tools = [{ ...tool("echo"), description: "x".repeat(length) }];
  return () =>
    wellBehaved([], { "tools/list": ({ id }, pipe) => pipe.say({ id, result: { tools } }) });
}

test("an offer says everything, and offers are counted", async () => {
  const { connection, gateway, wire, welcome } = await openConnection();
  welcome();
  connection.offer(gateway.offer());
  connection.offer(gateway.offer());
  const offers = wire.frames("offer");
  assert.deepEqual(offers.map(({ header }) => header), [
    { type: "offer", revision: 1 },
    { type: "offer", revision: 2 },
  ]);
  assert.deepEqual(decodeOffer(offers[0]?.payload ?? ""), gateway.offer());
});

test("lists that a server said have changed are named with the offer", async () => {
  const { connection, gateway, wire, welcome } = await openConnection();
  welcome();
  connection.offer(gateway.offer(), ["tools", "prompts"]);
  connection.offer(gateway.offer(), []);
  assert.deepEqual(wire.frames("offer").map(({ header }) => header), [
    { type: "offer", revision: 1, changed: ["tools", "prompts"] },
    { type: "offer", revision: 2 },
  ]);
});

test("a server whose tools are too many for the worker does not hide the others", async () => {
  const { connection, gateway, wire, welcome, log } = await openConnection({
    small: { behave: wordy(100) },
    huge: { behave: wordy(3_000) },
    other: { behave: wordy(200) },
  });
  welcome({ maxPayload: 1_000 });
  connection.offer(gateway.offer());
  const { servers } = decodeOffer(wire.frames("offer")[0]?.payload ?? "");
  assert.deepEqual(
    servers.map(({ name, listed, tools }) => [name, listed, tools.length]),
    [["small", true, 1], ["huge", false, 0], ["other", true, 1]],
  );
  assert.match(log[0]?.message ?? "", /server "huge".*3\d{3} characters.*1000/);
  connection.offer(gateway.offer());
  assert.equal(log.length, 1);
});

test("as few servers as need be are left out, the largest first", async () => {
  const { connection, gateway, wire, welcome } = await openConnection({
    a: { behave: wordy(400) },
    b: { behave: wordy(600) },
    c: { behave: wordy(500) },
  });
  welcome({ maxPayload: 1_700 });
  connection.offer(gateway.offer());
  const { servers } = decodeOffer(wire.frames("offer")[0]?.payload ?? "");
  assert.deepEqual(servers.map(({ listed }) => listed), [true, false, true]);
});

test("an offer that a worker would refuse to read is not sent with what makes it so", async () => {
  const flood = Array.from({ length: 300 }, (_, n) => {
    const members = Array.from({ length: 1_000 }, (_, m) => `"${m}":0`).join();
    return `{"name":"t${n}","inputSchema":{},${members}}`;
  });
  const { connection, gateway, wire, welcome, log } = await openConnection({
    good: {},
    flood: {
      behave: () =>
        wellBehaved([], {
          "tools/list": ({ id }, pipe) =>
            pipe.say(`{"jsonrpc":"2.0","id":${id},"result":{"tools":[${flood.join()}]}}`),
        }),
    },
  });
  welcome();
  connection.offer(gateway.offer());
  const { servers } = decodeOffer(wire.frames("offer")[0]?.payload ?? "");
  assert.deepEqual(servers.map(({ listed }) => listed), [true, false]);
  assert.match(log[0]?.message ?? "", /server "flood"/);
});

test("where not even the names fit, nothing is offered, and the operator is told", async () => {
  const { connection, gateway, wire, welcome, log } = await openConnection();
  welcome({ maxPayload: 1 });
  connection.offer(gateway.offer());
  assert.deepEqual(wire.frames("offer"), []);
  assert.ok(log.some(({ level }) => level === "error"));
});
