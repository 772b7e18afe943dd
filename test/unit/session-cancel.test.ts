import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type FakeRunner,
  inSession,
  messageOf,
  openSession,
  type Session,
  startWorkerInMemory,
} from "../support/home.ts";
import { sendOf } from "../support/session.ts";

/** A call under way in a session; `id` is the client's. */
async function startCall(session: Session, runner: FakeRunner, id: unknown) {
  const answer = inSession(session, "tools/call", { name: "notes__read" }, { id });
  const { header } = await runner.next("call");
  return { answer, callId: header.id };
}

async function cancel(session: Session, params: Record<string, unknown>): Promise<void> {
  const response = await inSession(session, "notifications/cancelled", params, { id: null });
  assert.equal(response.status, 202);
}

for (const id of [0, 7, -1, "7", "a b", 'q"\\\n', "ü😀", ""]) {
  test(`a call with the id ${JSON.stringify(id)} is cancelled by it`, async () => {
    const worker = startWorkerInMemory();
    const runner = await worker.runner({ tools: ["notes__read"] });
    const session = await openSession(await worker.client());
    const { answer, callId } = await startCall(session, runner, id);
    await cancel(session, { requestId: id, reason: "enough" });
    const { header } = await runner.next("cancel");
    assert.deepEqual(header, { type: "cancel", id: callId, reason: "Cancelled by the client" });
    const message = await messageOf(await answer);
    assert.deepEqual([message.id, message.error?.code], [id, 1010]);
    assert.equal(message.error?.data["executed"], "unknown");
    runner.say({ type: "result", id: callId }, "{}");
    assert.equal(worker.clock.pending, 0);
  });
}

test("an id may be written in another way when it is cancelled", async () => {
  const worker = startWorkerInMemory();
  const runner = await worker.runner({ tools: ["notes__read"] });
  const session = await openSession(await worker.client());
  const { answer } = await startCall(session, runner, "é/");
  const { client } = session;
  const body =
    '{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"\\u00e9\\/"}}';
  await client.worker.request("/mcp", {
    method: "POST",
    body,
    headers: {
      authorization: `Bearer ${client.token}`,
      "content-type": "application/json",
      "mcp-session-id": session.id,
    },
  });
  await runner.next("cancel");
  assert.equal((await messageOf(await answer)).error?.code, 1010);
});

const ignored: ReadonlyArray<readonly [why: string, params: Record<string, unknown>]> = [
  ["an id that is not in flight", { requestId: 8 }],
  ["the same digits as text", { requestId: "7" }],
  ["a fraction of it", { requestId: 7.5 }],
  ["no id", {}],
  ["null", { requestId: null }],
  ["an object", { requestId: { id: 7 } }],
  ["an id with another session's in it", { requestId: "x\n7" }],
];

for (const [why, params] of ignored) {
  test(`a cancellation of ${why} changes nothing`, async () => {
    const worker = startWorkerInMemory();
    const runner = await worker.runner({ tools: ["notes__read"] });
    const session = await openSession(await worker.client());
    const { answer, callId } = await startCall(session, runner, 7);
    await cancel(session, params);
    runner.say({ type: "result", id: callId }, "{}");
    assert.deepEqual((await messageOf(await answer)).result, {});
    assert.deepEqual(runner.all("cancel"), []);
  });
}

test("a session cancels no call of another one, of the same client or not", async () => {
  const worker = startWorkerInMemory();
  const runner = await worker.runner({ tools: ["notes__read"] });
  const client = await worker.client();
  const mine = await openSession(client);
  const { answer, callId } = await startCall(mine, runner, 7);
  for (const other of [await openSession(client), await openSession(await worker.client())]) {
    await cancel(other, { requestId: 7 });
  }
  runner.say({ type: "result", id: callId }, "{}");
  assert.deepEqual((await messageOf(await answer)).result, {});
  assert.deepEqual(runner.all("cancel"), []);
});

test("a cancellation after the end, or a second one, changes nothing", async () => {
  const worker = startWorkerInMemory();
  const runner = await worker.runner({ tools: ["notes__read"] });
  const session = await openSession(await worker.client());
  const ended = await startCall(session, runner, 7);
  runner.say({ type: "result", id: ended.callId }, "{}");
  await ended.answer;
  await cancel(session, { requestId: 7 });
  assert.deepEqual(runner.all("cancel"), []);

  await startCall(session, runner, 7);
  await cancel(session, { requestId: 7 });
  await cancel(session, { requestId: 7 });
  assert.equal(runner.all("cancel").length, 1);
});

test("of two calls with one id in flight, each ends with its own answer", async () => {
  const worker = startWorkerInMemory();
  const runner = await worker.runner({ tools: ["notes__read"] });
  const session = await openSession(await worker.client());
  const first = await startCall(session, runner, 7);
  const second = await startCall(session, runner, 7);
  runner.say({ type: "result", id: first.callId }, '{"n":1}');
  assert.deepEqual((await messageOf(await first.answer)).result, { n: 1 });
  await cancel(session, { requestId: 7 });
  assert.equal((await runner.next("cancel")).header.id, second.callId, "can still be cancelled");
  assert.equal((await messageOf(await second.answer)).error?.code, 1010);
});

test("of two calls with one id in flight, both end with their session", async () => {
  const worker = startWorkerInMemory();
  const runner = await worker.runner({ tools: ["notes__read"] });
  const session = await openSession(await worker.client());
  const calls = [
    await startCall(session, runner, 7),
    await startCall(session, runner, 7),
  ];
  assert.equal((await sendOf(session, "DELETE")).status, 204);
  for (const { answer } of calls) assert.equal((await messageOf(await answer)).error?.code, 1010);
  const cancelled = runner.all("cancel").map(({ header }) => header.id);
  assert.deepEqual(cancelled, calls.map(({ callId }) => callId));
  assert.equal(worker.clock.pending, 0);
});
