import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type FakeRunner,
  inSession,
  openSession,
  RESULT,
  type Session,
  startWorkerInMemory,
} from "../support/home.ts";
import { ReplayBuffer } from "../../worker/home/replay-buffer.ts";
import { eventsOf, listen, NOTE, sendOf, startStream } from "../support/session.ts";
import { settled } from "../support/settled.ts";

async function start(version?: string): Promise<{ session: Session; runner: FakeRunner }> {
  const worker = startWorkerInMemory();
  const runner = await worker.runner({ tools: ["notes__read"] });
  return { runner, session: await openSession(await worker.client(), version) };
}

/** A log message with a number. */
function note(data: unknown): string {
  return JSON.stringify({
    jsonrpc: "2.0",
    method: "notifications/message",
    params: { level: "info", data },
  });
}

test("a stream of 2025-11-25 begins with an event that has an id, a retry and no data", async () => {
  const { session, runner } = await start();
  const { events, callId } = await startStream(session, runner);
  const first = await events.next();
  assert.equal(first?.data, "");
  assert.match(first.id ?? "", /^[\w-]{20}\.0$/);
  assert.equal(first.retry, 1_000);
  assert.equal((await events.message()).method, "notifications/message");
  runner.say({ type: "result", id: callId }, RESULT);
  assert.deepEqual((await events.message()).result, JSON.parse(RESULT));
  assert.equal(await events.next(), undefined);
});

for (const version of ["2025-06-18", "2025-03-26"]) {
  test(`a stream of ${version} has ids, but no event without data, which its clients cannot read`, async () => {
    const { session, runner } = await start(version);
    const { events } = await startStream(session, runner, {
      headers: { "mcp-protocol-version": undefined },
    });
    const first = await events.next();
    assert.equal(first?.data, NOTE);
    assert.match(first.id ?? "", /^[\w-]{20}\.1$/);
    assert.equal(first.retry, undefined);
  });
}

test("an answer that takes long becomes such a stream before anything is said", async () => {
  const { session, runner } = await start();
  const answer = inSession(session, "tools/call", { name: "notes__read" });
  await runner.next("call");
  session.client.worker.clock.advance(750);
  assert.equal((await eventsOf(await answer).next())?.data, "");
});

test("a client that has left gets the rest of the call by its last event id", async () => {
  const { session, runner } = await start();
  const { events, callId } = await startStream(session, runner);
  await events.message();
  await events.leave();
  runner.say({ type: "note", id: callId }, note("while away"));
  const again = await listen(session, events.lastId);
  assert.deepEqual((await again.message()).params?.["data"], "while away");
  runner.say({ type: "note", id: callId }, note("live"));
  assert.deepEqual((await again.message()).params?.["data"], "live");
  runner.say({ type: "result", id: callId }, RESULT);
  assert.deepEqual((await again.message()).result, JSON.parse(RESULT));
  assert.equal(await again.next(), undefined);
  assert.deepEqual(runner.all("cancel"), [], "leaving has cancelled nothing");
});

test("a client that knows only the first event gets everything, also after the call's end", async () => {
  const { session, runner } = await start();
  const { events, callId } = await startStream(session, runner);
  const first = (await events.next())?.id ?? "";
  await events.leave();
  runner.say({ type: "note", id: callId }, note(2));
  runner.say({ type: "result", id: callId }, RESULT);
  await settled();
  for (let n = 0; n < 2; n++) {
    const again = await listen(session, first);
    assert.equal((await again.message()).params?.["data"], 1);
    assert.equal((await again.message()).params?.["data"], 2);
    assert.deepEqual((await again.message()).result, JSON.parse(RESULT));
    assert.equal(await again.next(), undefined);
  }
  assert.equal(session.client.worker.clock.pending, 0);
});

test("the connection that comes again takes the place of one that only seems to be open", async () => {
  const { session, runner } = await start();
  const { events, callId } = await startStream(session, runner);
  await events.message();
  const again = await listen(session, events.lastId);
  runner.say({ type: "result", id: callId }, RESULT);
  assert.equal(await events.next(), undefined);
  assert.deepEqual((await again.message()).result, JSON.parse(RESULT));
});

test("a client that has everything is told not to come again", async () => {
  const { session, runner } = await start();
  const { events, callId } = await startStream(session, runner);
  runner.say({ type: "error", id: callId }, '{"code":1,"message":"no"}');
  await events.message();
  assert.equal((await events.message()).error?.code, 1);
  assert.equal((await sendOf(session, "GET", { lastId: events.lastId })).status, 204);
});

test("what was said is kept for five minutes after the end", async () => {
  const { session, runner } = await start();
  const { clock } = session.client.worker;
  const { events, callId } = await startStream(session, runner);
  const first = (await events.next())?.id ?? "";
  runner.say({ type: "result", id: callId }, RESULT);
  await settled();
  clock.advance(5 * 60_000);
  assert.equal((await (await listen(session, first)).message()).params?.["data"], 1);
  clock.advance(1);
  const other = (await (await listen(session, first)).next())?.id ?? "";
  assert.notEqual(
    other.split(".")[0],
    first.split(".")[0],
    "a new stream: there is nothing to replay",
  );
});

test("an id that was never given out, or by another session, opens a stream of its own", async () => {
  const { session, runner } = await start();
  const { events, callId } = await startStream(session, runner);
  const first = (await events.next())?.id ?? "";
  const beside = await openSession(session.client);
  runner.say({ type: "result", id: callId }, RESULT);
  await settled();
  for (
    const [who, id] of [[beside, first], [session, "x"], [session, `${first}.1`], [session, ""]]
  ) {
    const response = await sendOf(who as Session, "GET", { lastId: id as string });
    assert.equal(response.status, 200);
    const other = eventsOf(response);
    const opened = await other.next();
    assert.equal(opened?.data, "");
    assert.notEqual(opened.id?.split(".")[0], first.split(".")[0]);
    await other.leave();
  }
  assert.equal((await (await listen(session, first)).message()).params?.["data"], 1);
});

test("two calls of a session have streams of their own", async () => {
  const { session, runner } = await start();
  const one = await startStream(session, runner, { id: 1 });
  const two = await startStream(session, runner, { id: 2 });
  await one.events.message();
  await two.events.message();
  await one.events.leave();
  await two.events.leave();
  runner.say({ type: "result", id: one.callId }, '{"n":1}');
  runner.say({ type: "result", id: two.callId }, '{"n":2}');
  const [second, first] = [
    await (await listen(session, two.events.lastId)).message(),
    await (await listen(session, one.events.lastId)).message(),
  ];
  assert.deepEqual([first.id, first.result], [1, { n: 1 }]);
  assert.deepEqual([second.id, second.result], [2, { n: 2 }]);
});

test("only the last 256 messages of a session are kept", async () => {
  const { session, runner } = await start();
  const { events, callId } = await startStream(session, runner);
  const first = (await events.next())?.id ?? "";
  await events.leave();
  for (let n = 0; n < 300; n++) runner.say({ type: "note", id: callId }, note(n));
  runner.say({ type: "result", id: callId }, RESULT);
  await settled();
  const again = await listen(session, first);
  assert.equal((await again.message()).params?.["data"], 45);
  let messages = 1;
  while ((await again.next()) !== undefined) messages++;
  assert.equal(messages, 256);
});

test("one result of the greatest length is kept beside the rest, a second one takes its place", async () => {
  const { session, runner } = await start();
  const long = (n: number) => JSON.stringify({ n, text: "x".repeat(9 * 1024 * 1024) });
  const calls = [
    await startStream(session, runner, { id: 1 }),
    await startStream(session, runner, { id: 2 }),
  ];
  const firsts: string[] = [];
  for (const { events } of calls) {
    firsts.push((await events.next())?.id ?? "");
    await events.leave();
  }
  const [one, two] = calls;
  runner.say({ type: "result", id: one?.callId ?? "" }, long(1));
  await settled();
  const kept = await listen(session, firsts[0]);
  assert.equal((await kept.message()).params?.["data"], 1);
  assert.equal((await kept.message()).result?.["n"], 1);
  runner.say({ type: "result", id: two?.callId ?? "" }, long(2));
  await settled();
  const newer = await listen(session, firsts[1]);
  await newer.message();
  assert.equal((await newer.message()).result?.["n"], 2);
  const older = await listen(session, firsts[0]);
  await older.message();
  assert.equal(await older.next(), undefined, "its end is gone");
});

test("a client that leaves before there is a stream cancels nothing either", async () => {
  const { session, runner } = await start();
  const leaving = new AbortController();
  const answer = inSession(session, "tools/call", { name: "notes__read" }, {
    signal: leaving.signal,
  });
  const { header } = await runner.next("call");
  leaving.abort();
  assert.equal((await answer).status, 499);
  runner.say({ type: "result", id: header.id }, RESULT);
  await settled();
  assert.deepEqual(runner.all("cancel"), []);
  assert.equal(session.client.worker.clock.pending, 0);
});

test("when the worker stops, calls end with an error on their streams", async () => {
  const { session, runner } = await start();
  const { worker } = session.client;
  const { events } = await startStream(session, runner);
  const standalone = await listen(session);
  await events.message();
  worker.drain();
  assert.equal((await events.message()).error?.code, 1002);
  assert.equal(await events.next(), undefined);
  await standalone.next();
  assert.equal(await standalone.next(), undefined);
  await settled();
  assert.equal(worker.clock.pending, 0);
  const late = await sendOf(session, "GET", { lastId: standalone.lastId });
  assert.equal(late.status, 200, "who comes again is not told to stay away");
});

test("the buffers of one home hold a bounded length together, and ask for room before", () => {
  let sweeps = 0;
  const total = { length: 0, sweep: () => void sweeps++ };
  const mebi = "x".repeat(1024 * 1024);
  const buffers = Array.from({ length: 40 }, () => new ReplayBuffer(total));
  for (const buffer of buffers) buffer.keep({ stream: "s", place: 1, message: mebi });
  assert.equal(total.length, 32 * mebi.length);
  assert.equal(sweeps, 8);
  const kept = buffers.filter((buffer) => buffer.after("s", 0).length > 0);
  assert.equal(kept.length, 32);
  kept[0]?.keep({ stream: "s", place: 2, message: mebi });
  assert.deepEqual(kept[0]?.after("s", 0).map(({ place }) => place), [2], "newer for older");
  kept[1]?.close();
  buffers.at(-1)?.keep({ stream: "s", place: 3, message: mebi });
  assert.equal(buffers.at(-1)?.after("s", 0).length, 1, "what one lets go of another may have");
  kept[1]?.keep({ stream: "s", place: 2, message: "x" });
  assert.equal(total.length, 32 * mebi.length);
});
