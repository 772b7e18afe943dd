import assert from "node:assert/strict";
import { test } from "node:test";
import { GatewayError } from "../../src/errors.ts";
import { settled } from "../support/settled.ts";
import { openTunnel } from "../support/tunnel.ts";

const permanent: Array<[code: number, message: RegExp]> = [
  [4403, /^tunnel_refused The tunnel token of this machine was revoked.*mcp-runner connect/],
  [4409, /^tunnel_refused Another mcp-runner on this machine has taken over/],
];

for (const [code, message] of permanent) {
  test(`a worker that closes with ${code} ends the tunnel for good, with the reason`, async () => {
    const { dials, clock, outcome } = await openTunnel();
    (await dials[0]?.welcome())?.events.closed(code, "");
    await settled();
    assert.match(outcome() ?? "", message);
    clock.advance(60_000);
    await settled();
    assert.equal(dials.length, 1);
    assert.equal(clock.pending, 0);
  });

  test(`${code} before the welcome ends it as well`, async () => {
    const { dials, outcome } = await openTunnel();
    (await dials[0]?.open())?.events.closed(code, "");
    await settled();
    assert.match(outcome() ?? "", message);
  });
}

for (const code of [1000, 1001, 1003, 1005, 1006, 1009, 1011, 1012, 4400, 4408, 4503, 4999]) {
  test(`a worker that closes with ${code} is dialled again`, async () => {
    const { dials, clock, outcome } = await openTunnel();
    (await dials[0]?.welcome())?.events.closed(code, "");
    await settled();
    clock.advance(250);
    await settled();
    assert.equal(dials.length, 2);
    assert.equal(outcome(), undefined);
  });
}

test("a dial that the worker refuses for good ends the tunnel with the worker's words", async () => {
  const { dials, clock, outcome } = await openTunnel();
  await dials[0]?.fail(new GatewayError("tunnel_refused", "Cannot connect: unknown token"));
  assert.equal(outcome(), "tunnel_refused Cannot connect: unknown token");
  clock.advance(60_000);
  await settled();
  assert.equal(dials.length, 1);
});

test("a dial that fails for any other reason is tried again, also one of ours", async () => {
  const { dials, clock, outcome } = await openTunnel();
  await dials[0]?.fail(new TypeError("x is undefined"));
  clock.advance(250);
  await settled();
  assert.equal(dials.length, 2);
  assert.equal(outcome(), undefined);
});

test("close() while it dials ends it at once, and the socket that comes late is closed", async () => {
  const { tunnel, dials, clock, outcome, welcomed } = await openTunnel();
  tunnel.close();
  await settled();
  assert.equal(outcome(), "closed");
  const wire = await dials[0]?.open();
  assert.equal(wire?.closedWith?.code, 1000);
  wire?.say({
    type: "welcome",
    tunnel: "late",
    link: "1",
    features: [],
    heartbeatMs: 1_000,
    maxPayload: 1,
  });
  assert.deepEqual(welcomed, []);
  assert.equal(dials.length, 1);
  assert.equal(clock.pending, 0);
});

test("close() while it dials is not overruled by the dial's failure", async () => {
  const { tunnel, dials, outcome } = await openTunnel();
  tunnel.close();
  await dials[0]?.fail(new GatewayError("tunnel_refused", "Cannot connect: unknown token"));
  assert.equal(outcome(), "closed");
});

test("close() while it waits for the next dial ends it at once", async () => {
  const { tunnel, dials, clock, outcome } = await openTunnel();
  await dials[0]?.fail(new Error("down"));
  assert.equal(clock.pending, 1);
  tunnel.close();
  await settled();
  assert.equal(outcome(), "closed");
  assert.equal(clock.pending, 0);
  clock.advance(60_000);
  await settled();
  assert.equal(dials.length, 1);
});

for (const stage of ["open", "welcome"] as const) {
  test(`close() after ${stage} closes with 1000 and does not wait for the worker`, async () => {
    const { tunnel, dials, clock, outcome, log } = await openTunnel();
    const wire = await dials[0]?.[stage]();
    tunnel.close();
    await settled();
    assert.deepEqual(wire?.closedWith, { code: 1000, reason: "The runner has stopped" });
    assert.equal(outcome(), "closed");
    assert.equal(clock.pending, 0);
    assert.deepEqual(log, []);
    wire?.events.closed(4403, "");
    await settled();
    assert.equal(outcome(), "closed");
  });
}

test("close() in the moment of a loss ends it without another dial", async () => {
  const { tunnel, dials, clock, outcome } = await openTunnel();
  const wire = await dials[0]?.welcome();
  wire?.events.closed(1006, "");
  tunnel.close();
  await settled();
  clock.advance(60_000);
  await settled();
  assert.equal(outcome(), "closed");
  assert.equal(dials.length, 1);
});

test("close() twice is close()", async () => {
  const { tunnel, dials, outcome } = await openTunnel();
  await dials[0]?.welcome();
  tunnel.close();
  tunnel.close();
  await settled();
  assert.equal(outcome(), "closed");
});

test("drain() reaches the worker that is there, and nobody else", async () => {
  const { tunnel, dials } = await openTunnel();
  tunnel.drain(1_000);
  const wire = await dials[0]?.welcome();
  assert.equal(wire?.frames("drain").length, 0);
  tunnel.drain(1_000);
  assert.deepEqual(wire?.frames("drain")[0]?.header, {
    type: "drain",
    reason: "The runner is stopping",
    deadlineMs: 1_000,
  });
});
