import assert from "node:assert/strict";
import { test } from "node:test";
import { GatewayError } from "../../src/errors.ts";
import { longestWaits } from "../support/longest-waits.ts";
import { settled } from "../support/settled.ts";
import { openTunnel } from "../support/tunnel.ts";

const DOWN = new GatewayError("tunnel_protocol", "Cannot reach the worker: connection refused");

test("a tunnel dials at once, says hello, and offers its tools when it is welcomed", async () => {
  const { dials, welcomed } = await openTunnel();
  assert.equal(dials.length, 1);
  const wire = await dials[0]?.open();
  assert.deepEqual(wire?.frames().map(({ header }) => header.type), ["hello"]);
  wire?.say({
    type: "welcome",
    tunnel: "ada",
    link: "1",
    features: [],
    heartbeatMs: 12_000,
    maxPayload: 1_000_000,
  });
  assert.deepEqual(wire?.frames().map(({ header }) => header.type), ["hello", "offer"]);
  assert.match(wire?.frames("offer")[0]?.payload ?? "", /"a__echo"/);
  assert.deepEqual(welcomed, ["ada"]);
});

test("offer() says the tools anew, and nothing while there is no connection", async () => {
  const { tunnel, dials } = await openTunnel();
  tunnel.offer();
  const wire = await dials[0]?.open();
  tunnel.offer();
  assert.equal(wire?.frames("offer").length, 0);
  wire?.events.closed(1006, "");
  tunnel.offer();
  await settled();
});

test("a connection that is lost is dialled again, and offers again", async () => {
  using _ = longestWaits();
  const { dials, clock, welcomed, log } = await openTunnel();
  (await dials[0]?.welcome())?.events.closed(1006, "");
  await settled();
  assert.equal(dials.length, 1);
  clock.advance(250);
  await settled();
  assert.equal(dials.length, 2);
  const wire = await dials[1]?.welcome();
  assert.equal(wire?.frames("offer").length, 1);
  assert.equal(welcomed.length, 2);
  assert.deepEqual(log.map(({ message }) => message), [
    "Lost the connection to https://worker.example, dialling again",
  ]);
});

test("each wait is random, below a bound that doubles from 250 ms to 30 s", async () => {
  const bounds = [250, 500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000];
  for (let sample = 0; sample < 5; sample++) {
    const { dials, clock, waits } = await openTunnel();
    for (const bound of bounds) {
      await dials.at(-1)?.fail(DOWN);
      clock.advance(bound);
      await settled();
    }
    assert.equal(waits.length, bounds.length);
    for (const [n, bound] of bounds.entries()) {
      assert.ok((waits[n] ?? -1) >= 0 && (waits[n] ?? Infinity) < bound, waits.join());
    }
  }
});

test("the waits reach up to their bounds", async () => {
  using _ = longestWaits();
  const { dials, clock, waits } = await openTunnel();
  for (let n = 0; n < 9; n++) {
    await dials.at(-1)?.fail(DOWN);
    clock.advance(30_000);
    await settled();
  }
  assert.deepEqual(waits, [249, 499, 999, 1_999, 3_999, 7_999, 15_999, 29_999, 29_999]);
});

test("a worker that welcomes and closes at once is dialled ever more slowly", async () => {
  using _ = longestWaits();
  const { dials, clock, waits } = await openTunnel();
  for (let n = 0; n < 5; n++) {
    (await dials.at(-1)?.welcome())?.events.closed(1011, "");
    await settled();
    clock.advance(30_000);
    await settled();
  }
  assert.deepEqual(waits, [249, 499, 999, 1_999, 3_999]);
});

test("a connection that lasted more than 5 s makes the next failure a first one", async () => {
  using _ = longestWaits();
  const { dials, clock, waits } = await openTunnel();
  for (let n = 0; n < 4; n++) {
    await dials.at(-1)?.fail(DOWN);
    clock.advance(30_000);
    await settled();
  }
  const wire = await dials.at(-1)?.welcome();
  clock.advance(5_001);
  wire?.events.closed(1006, "");
  await settled();
  assert.deepEqual(waits, [249, 499, 999, 1_999, 249]);
});

test("a dial that fails slowly is no connection that lasted", async () => {
  using _ = longestWaits();
  const { dials, clock, waits } = await openTunnel();
  for (let n = 0; n < 4; n++) {
    clock.advance(15_000);
    await dials.at(-1)?.fail(DOWN);
    clock.advance(30_000);
    await settled();
  }
  assert.deepEqual(waits, [249, 499, 999, 1_999]);
});

test("a connection that nobody welcomes is no connection that lasted", async () => {
  using _ = longestWaits();
  const { dials, clock, waits } = await openTunnel();
  for (let n = 0; n < 3; n++) {
    await dials.at(-1)?.open();
    clock.advance(10_000);
    await settled();
    clock.advance(30_000);
    await settled();
  }
  assert.deepEqual(waits, [249, 499, 999]);
});

test("why a dial failed is told once, and not at each further dial", async () => {
  const { dials, clock, log } = await openTunnel();
  for (let n = 0; n < 5; n++) {
    await dials.at(-1)?.fail(DOWN);
    clock.advance(30_000);
    await settled();
  }
  assert.deepEqual(log.map(({ message }) => message), [`${DOWN.message}; dialling again`]);
});

test("a silent worker is left and dialled again", async () => {
  const { dials, clock } = await openTunnel();
  const wire = await dials[0]?.welcome();
  clock.advance(36_000);
  await settled();
  assert.equal(wire?.closedWith?.code, 4408);
  clock.advance(250);
  await settled();
  assert.equal(dials.length, 2);
});

test("what an old connection still says after a new one is open reaches nobody", async () => {
  const { dials, clock, gateway } = await openTunnel();
  const old = await dials[0]?.welcome();
  old?.events.closed(1006, "");
  await settled();
  clock.advance(250);
  await settled();
  const wire = await dials[1]?.welcome();
  old?.events.message(
    '{"type":"call","id":"x","method":"ping","deadlineMs":1,"protocolVersion":"",' +
      '"clientCapabilities":{},"caller":{"client":""}}',
  );
  old?.events.closed(4403, "");
  await settled();
  assert.equal(gateway.inFlight, 0);
  assert.equal(wire?.closedWith, undefined);
  assert.equal(dials.length, 2);
});
