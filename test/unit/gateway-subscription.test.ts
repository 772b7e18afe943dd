import assert from "node:assert/strict";
import { test } from "node:test";
import { GatewayError } from "../../src/errors.ts";
import { DENY_ALL } from "../../src/policy/allowlist.ts";
import { errorOf } from "../support/gateway.ts";
import { settled } from "../support/settled.ts";
import { openScripted, type ScriptedGateway } from "../support/scripted-gateway.ts";

const UPDATED = (uri: string): string =>
  `{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{ "uri":"${uri}" }}`;

const GONE = new GatewayError("server_crashed", "Server ended");

/** Listens to these URIs as call "x". */
function listen({ ask }: ScriptedGateway, ...uris: readonly string[]): Promise<string[]> {
  return ask("subscriptions/listen", { notifications: { resourceSubscriptions: uris } }, {
    id: "x",
    deadlineMs: 86_400_000,
  });
}

test("a subscription is accepted once, and hears of its resources at every server", async () => {
  const bench = openScripted({ a: { resources: ["file:///x"] }, b: { resources: ["file:///y"] } });
  const events = await listen(bench, "file:///x", "file:///y", "file:///x");
  assert.deepEqual(events, ["accepted"]);
  assert.deepEqual(bench.server("a").listenings.map(({ uris }) => uris), [["file:///x"]]);
  bench.server("b").listenings[0]?.listener.updated("file:///y", UPDATED("file:///y"));
  assert.deepEqual(events.slice(1), [`note ${UPDATED("file:///y")}`]);
});

test("updates speak of the exposed URI", async () => {
  const bench = openScripted({ a: { resources: ["file:///x"] }, b: { resources: ["file:///x"] } });
  const events = await listen(bench, "mcpr.b+file:///x");
  assert.deepEqual(bench.server("b").listenings.map(({ uris }) => uris), [["file:///x"]]);
  assert.equal(bench.server("a").listenings.length, 0);
  bench.server("b").listenings[0]?.listener.updated("file:///x", UPDATED("file:///x"));
  assert.deepEqual(events.slice(1), [`note ${UPDATED("mcpr.b+file:///x")}`]);
});

test("what may not be read is not listened to, and what a server tells of it is not passed on", async () => {
  const rules = { resources: { allow: ["file:///*"], deny: ["file:///secret"] } };
  const bench = openScripted({
    a: { resources: ["file:///x", "file:///secret"], reads: true, rules },
    b: { resources: ["file:///y"], rules: { resources: DENY_ALL } },
  });
  const events = await listen(bench, "file:///x", "file:///secret", "other:///z");
  assert.deepEqual(bench.server("a").listenings.map(({ uris }) => uris), [["file:///x"]]);
  assert.equal(bench.server("b").listenings.length, 0);
  bench.server("a").listenings[0]?.listener.updated("file:///secret", UPDATED("file:///secret"));
  assert.deepEqual(events, ["accepted"]);
});

test("a subscription to nothing is accepted, and silent", async () => {
  const bench = openScripted({ a: {} });
  assert.deepEqual(await listen(bench), ["accepted"]);
  assert.deepEqual(await bench.ask("subscriptions/listen", { notifications: {} }), ["accepted"]);
});

test("a server that ends is listened to again, after longer and longer waits, until the call ends", async () => {
  const bench = openScripted({ a: { resources: ["file:///x"] } });
  await listen(bench, "file:///x");
  const { listenings } = bench.server("a");
  for (const [n, longest] of [1_000, 2_000, 4_000].entries()) {
    listenings[n]?.listener.ended(GONE);
    listenings[n]?.listener.ended(GONE);
    assert.equal(listenings.length, n + 1);
    bench.clock.advance(longest);
    assert.equal(listenings.length, n + 2);
  }
  bench.gateway.cancel("x", "The client has left");
  assert.deepEqual(listenings.map(({ over }) => over), [false, false, false, true]);
  listenings[3]?.listener.ended(GONE);
  bench.clock.advance(600_000);
  assert.equal(listenings.length, 4);
  assert.equal(bench.clock.pending, 0);
});

test("a wait that is under way ends with its call", async () => {
  const bench = openScripted({ a: { resources: ["file:///x"] } });
  await listen(bench, "file:///x");
  bench.server("a").listenings[0]?.listener.ended(GONE);
  bench.gateway.cancel("x", "The client has left");
  assert.equal(bench.clock.pending, 0);
});

test("an end that comes late, of a listening that was replaced, changes nothing", async () => {
  const bench = openScripted({ a: { resources: ["file:///x"] } });
  const events = await listen(bench, "file:///x");
  const { listenings } = bench.server("a");
  listenings[0]?.listener.ended(GONE);
  bench.clock.advance(1_000);
  listenings[0]?.listener.ended(GONE);
  listenings[0]?.listener.updated("file:///x", UPDATED("file:///x"));
  bench.clock.advance(60_000);
  assert.equal(listenings.length, 2);
  assert.deepEqual(events, ["accepted"]);
});

test("a server that is not known yet is started to be listened to", async () => {
  const bench = openScripted({ a: { cold: true, resources: ["file:///x"] } });
  await listen(bench, "file:///x");
  assert.equal(bench.server("a").listenings.length, 1);
});

test("a server that cannot be started is listened to once it can", async () => {
  const bench = openScripted({ a: { cold: GONE, resources: ["file:///x"] } });
  assert.deepEqual(await listen(bench, "file:///x"), ["accepted"]);
  bench.clock.advance(1_000);
  await settled();
  assert.equal(bench.server("a").listenings.length, 0);
  bench.server("a").mended = true;
  bench.clock.advance(2_000);
  await settled();
  assert.equal(bench.server("a").listenings.length, 1);
  bench.gateway.cancel("x", "The client has left");
  assert.equal(bench.server("a").listenings[0]?.over, true);
  assert.equal(bench.clock.pending, 0);
});

test("when the runner stops, and at the deadline, a subscription ends well", async () => {
  const bench = openScripted({ a: { resources: ["file:///x"] } });
  const stopped = await listen(bench, "file:///x");
  await bench.gateway.idle(10_000);
  const late = await listen(bench, "file:///x");
  bench.clock.advance(86_400_000);
  for (const events of [stopped, late]) {
    assert.deepEqual(events, ["accepted", 'result {"resultType":"complete"}']);
  }
  assert.deepEqual(bench.server("a").listenings.map(({ over }) => over), [true, true]);
  assert.equal(bench.gateway.inFlight, 0);
});

const wrong: Array<[what: string, params: unknown]> = [
  ["nothing", {}],
  ["text", { notifications: "x" }],
  ["URIs that are numbers", { notifications: { resourceSubscriptions: [7] } }],
  [
    "more URIs than anybody reads",
    { notifications: { resourceSubscriptions: Array.from({ length: 257 }, (_, n) => `x:${n}`) } },
  ],
];

for (const [what, params] of wrong) {
  test(`a subscription to ${what} is refused`, async () => {
    const bench = openScripted({ a: { resources: ["file:///x"] } });
    const events = await bench.ask("subscriptions/listen", params as object);
    assert.equal(errorOf(events).data.code, "invalid_params");
  });
}

test("a subscription listens at the servers that its caller may reach, and to no others", async () => {
  const bench = openScripted({
    a: { resources: ["file:///x"], reads: true },
    b: { resources: ["file:///y"], reads: true },
    c: { reads: true },
  });
  const events = await bench.ask(
    "subscriptions/listen",
    { notifications: { resourceSubscriptions: ["file:///x", "file:///y", "file:///z"] } },
    { servers: ["b"] },
  );
  assert.deepEqual(events, ["accepted"]);
  assert.deepEqual(bench.server("b").listenings.map(({ uris }) => uris), [
    ["file:///y", "file:///z"],
  ]);
  assert.equal(bench.server("a").listenings.length, 0);
  assert.equal(bench.server("c").listenings.length, 0);
});
