import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type FakeRunner,
  inSession,
  messageOf,
  openSession,
  type Session,
  startWorkerInMemory,
  type TestWorker,
} from "../support/home.ts";
import { beat, listen, sendOf } from "../support/session.ts";
import { settled } from "../support/settled.ts";

const MINUTE_MS = 60_000;
const NOTES = { name: "notes", tools: ["notes__read"], resources: ["notes:///a", "notes:///b"] };

async function start(): Promise<{ worker: TestWorker; runner: FakeRunner; session: Session }> {
  const worker = startWorkerInMemory();
  const runner = await worker.runner({ servers: [NOTES] });
  return { worker, runner, session: await openSession(await worker.client()) };
}

/** What a runner says when a resource has changed. */
function updated(uri: string): string {
  return JSON.stringify({
    jsonrpc: "2.0",
    method: "notifications/resources/updated",
    params: { uri },
  });
}

async function subscribe(session: Session, uri: string): Promise<void> {
  const response = await inSession(session, "resources/subscribe", { uri });
  assert.deepEqual((await messageOf(response)).result, {});
  await settled();
}

test("a client that listens hears that a list has changed", async () => {
  const { runner, session } = await start();
  const events = await listen(session);
  runner.offerServers({ ...NOTES, tools: ["notes__read", "notes__write"] });
  assert.equal((await events.message()).method, "notifications/tools/list_changed");
  runner.offerServers({ ...NOTES, prompts: ["notes__sum"] });
  const both = [await events.message(), await events.message()].map(({ method }) => method);
  assert.deepEqual(
    new Set(both),
    new Set(["notifications/prompts/list_changed", "notifications/tools/list_changed"]),
  );
});

test("it hears nothing of what its token does not grant", async () => {
  const worker = startWorkerInMemory();
  const runner = await worker.runner({ servers: [NOTES] });
  const session = await openSession(await worker.client("files__*"));
  const events = await listen(session);
  runner.offerServers({ ...NOTES, tools: ["notes__write"] });
  runner.offerServers({ ...NOTES, tools: ["notes__write"] }, {
    name: "files",
    prompts: ["files__x"],
  });
  assert.equal((await events.message()).method, "notifications/prompts/list_changed");
});

test("of several connections the newest gets each message, and after it the one before", async () => {
  const { runner, session } = await start();
  const one = await listen(session);
  const two = await listen(session);
  runner.offerServers({ ...NOTES, tools: ["notes__a"] });
  assert.equal((await two.message()).method, "notifications/tools/list_changed");
  await two.leave();
  runner.offerServers({ ...NOTES, tools: ["notes__a"], prompts: ["notes__b"] });
  assert.equal((await one.message()).method, "notifications/prompts/list_changed");
});

test("a session has four connections at most: the oldest is closed for one more", async () => {
  const { session } = await start();
  const all = [];
  for (let n = 0; n < 5; n++) all.push(await listen(session));
  await all[0]?.next();
  assert.equal(await all[0]?.next(), undefined);
});

test("what happens while a client is away for a moment waits for it, each thing once", async () => {
  const { runner, session } = await start();
  const events = await listen(session);
  await events.leave();
  for (const tool of ["notes__a", "notes__b"]) runner.offerServers({ ...NOTES, tools: [tool] });
  const again = await listen(session);
  assert.equal((await again.message()).method, "notifications/tools/list_changed");
  runner.offerServers({ ...NOTES, tools: ["notes__b"], prompts: ["notes__c"] });
  assert.equal((await again.message()).method, "notifications/prompts/list_changed");
});

test("a message that was lost with the connection comes again by the last event id", async () => {
  const { runner, session } = await start();
  const events = await listen(session);
  const first = (await events.next())?.id;
  runner.offerServers({ ...NOTES, tools: ["notes__a"] });
  await events.leave();
  const again = await listen(session, first);
  assert.equal((await again.message()).method, "notifications/tools/list_changed");
});

test("a subscription is one call to the runner, and its updates reach the client", async () => {
  const { runner, session } = await start();
  const events = await listen(session);
  await subscribe(session, "notes:///a");
  const { header, payload } = await runner.next("call");
  assert.equal(header.method, "subscriptions/listen");
  assert.equal(header.protocolVersion, "2025-11-25");
  assert.deepEqual(JSON.parse(payload), {
    notifications: { resourceSubscriptions: ["notes:///a"] },
  });
  runner.say({ type: "accepted", id: header.id });
  runner.say({ type: "note", id: header.id }, updated("notes:///a"));
  assert.deepEqual((await events.message()).params, { uri: "notes:///a" });

  await subscribe(session, "notes:///b");
  assert.equal((await runner.next("cancel")).header.id, header.id);
  const both = await runner.next("call");
  assert.deepEqual(JSON.parse(both.payload), {
    notifications: { resourceSubscriptions: ["notes:///a", "notes:///b"] },
  });
  await inSession(session, "resources/unsubscribe", { uri: "notes:///a" });
  await inSession(session, "resources/unsubscribe", { uri: "notes:///b" });
  await settled();
  assert.equal(runner.all("cancel").length, runner.all("call").length, "nothing is listened to");
});

test("subscribing twice, or ending what there was not, changes nothing", async () => {
  const { runner, session } = await start();
  await listen(session);
  await subscribe(session, "notes:///a");
  await subscribe(session, "notes:///a");
  const response = await inSession(session, "resources/unsubscribe", { uri: "notes:///b" });
  assert.deepEqual((await messageOf(response)).result, {});
  await settled();
  assert.equal(runner.all("call").length, 1);
  assert.equal(runner.all("cancel").length, 0);
});

test("a resource that is unknown or not granted cannot be subscribed to", async () => {
  const worker = startWorkerInMemory();
  await worker.runner({ servers: [{ ...NOTES, reads: false }] });
  const session = await openSession(await worker.client());
  const other = await openSession(await worker.client("files__*"));
  for (const [who, uri] of [[session, "notes-x:///a"], [other, "notes:///a"]] as const) {
    const response = await inSession(who, "resources/subscribe", { uri });
    const { error } = await messageOf(response);
    assert.deepEqual([response.status, error?.code, error?.data["uri"]], [200, -32002, uri]);
  }
  for (const params of [{}, { uri: 7 }, { uri: "x".repeat(10_000) }]) {
    const { error } = await messageOf(await inSession(session, "resources/subscribe", params));
    assert.equal(error?.code, -32602);
  }
});

test("a session has a bounded number of subscriptions", async () => {
  const worker = startWorkerInMemory();
  const resources = Array.from({ length: 257 }, (_, n) => `notes:///${n}`);
  await worker.runner({ servers: [{ name: "notes", resources }] });
  const session = await openSession(await worker.client());
  for (const uri of resources.slice(0, 256)) {
    await inSession(session, "resources/subscribe", { uri });
  }
  const response = await inSession(session, "resources/subscribe", { uri: "notes:///256" });
  assert.equal((await messageOf(response)).error?.code, 1007);
});

test("without a reader the runner is listened to for five minutes more, then nothing runs", async () => {
  const { worker, runner, session } = await start();
  await subscribe(session, "notes:///a");
  const { header } = await runner.next("call");
  runner.say({ type: "note", id: header.id }, updated("notes:///a"));
  runner.say({ type: "note", id: header.id }, updated("notes:///a"));
  const events = await listen(session);
  assert.equal((await events.message()).method, "notifications/resources/updated");
  beat(runner, worker.clock, 10 * MINUTE_MS);
  await events.leave();
  beat(runner, worker.clock, 5 * MINUTE_MS - 10_000);
  assert.equal(runner.all("cancel").length, 0);
  beat(runner, worker.clock, 10_000);
  assert.equal((await runner.next("cancel")).header.id, header.id);
  assert.equal(worker.clock.pending, 0);

  await listen(session);
  await settled();
  assert.equal(runner.all("call").length, 2, "whoever reads again hears again");
});

test("subscriptions survive a restart of the home", async () => {
  const { worker, session } = await start();
  await subscribe(session, "notes:///a");
  const after = startWorkerInMemory({ store: worker.store, clock: worker.clock });
  const runner = await after.runner({ servers: [NOTES] });
  const events = await listen({ ...session, client: { ...session.client, worker: after } });
  const { header, payload } = await runner.next("call");
  assert.match(payload, /notes:\/\/\/a/);
  runner.say({ type: "note", id: header.id }, updated("notes:///a"));
  assert.deepEqual((await events.message()).params, { uri: "notes:///a" });
});

test("an id of before a restart opens a new stream: what was said then is gone", async () => {
  const { worker, session } = await start();
  const events = await listen(session);
  const first = (await events.next())?.id;
  const after = startWorkerInMemory({ store: worker.store, clock: worker.clock });
  const again = await listen({ ...session, client: { ...session.client, worker: after } }, first);
  assert.notEqual((await again.next())?.id?.split(".")[0], first?.split(".")[0]);
});

test("a home has a bounded number of open streams", async () => {
  const { worker, session } = await start();
  const { client } = session;
  const open = [];
  for (let n = 0; n < 64; n++) {
    const each = await openSession(client);
    for (let m = 0; m < 4; m++) open.push(await listen(each));
  }
  const response = await sendOf(session, "GET");
  assert.equal(response.status, 503);
  assert.equal(response.headers.get("retry-after"), "30");
  assert.equal((await messageOf(response)).error?.code, 1007);
  await open[0]?.leave();
  assert.equal((await sendOf(session, "GET")).status, 200);
  worker.drain();
  for (const events of open.slice(1, 3)) {
    await events.next();
    assert.equal(await events.next(), undefined);
  }
});

test("a connection ends after an hour, so that its token is looked at again", async () => {
  const { worker, session } = await start();
  const events = await listen(session);
  await events.next();
  worker.clock.advance(60 * MINUTE_MS);
  assert.equal(await events.next(), undefined);
});

test("a GET needs a session, a good one, and a revision that there is", async () => {
  const { session } = await start();
  const without = await sendOf(session, "GET", { headers: { "mcp-session-id": undefined } });
  assert.equal(without.status, 405);
  const forged = await sendOf({ ...session, id: "x" }, "GET");
  assert.equal(forged.status, 404);
  const headers = { "mcp-protocol-version": "1999-01-01" };
  assert.equal((await sendOf(session, "GET", { headers })).status, 400);
});
