import assert from "node:assert/strict";
import { test } from "node:test";
import {
  callTool,
  inSession,
  messageOf,
  openSession,
  piecesOf,
  startWorkerInMemory,
} from "../support/home.ts";
import { settled } from "../support/settled.ts";

test("2026-07-28: a client that leaves before the answer cancels its call at the runner", async () => {
  const worker = startWorkerInMemory();
  const runner = await worker.runner({ tools: ["notes__read"] });
  const leave = new AbortController();
  const answer = callTool(await worker.client(), "notes__read", { signal: leave.signal });
  const { header: { id } } = await runner.next("call");
  leave.abort();
  assert.deepEqual((await runner.next("cancel")).header, {
    type: "cancel",
    id,
    reason: "The client has left",
  });
  runner.say({ type: "result", id }, "{}");
  await (await answer).text();
  assert.equal(worker.clock.pending, 0);
});

test("2026-07-28: a client that closes its stream cancels its call at the runner, once", async () => {
  const worker = startWorkerInMemory();
  const runner = await worker.runner({ tools: ["notes__read"] });
  const leave = new AbortController();
  const answer = callTool(await worker.client(), "notes__read", { signal: leave.signal });
  const { header: { id } } = await runner.next("call");
  worker.clock.advance(750);
  const pieces = piecesOf(await answer);
  await pieces.next();
  await pieces.leave();
  leave.abort();
  assert.equal((await runner.next("cancel")).header.id, id);
  worker.clock.advance(300_000);
  assert.equal(runner.all("cancel").length, 1);
  assert.equal(worker.clock.pending, 0);
});

test("2026-07-28: a call whose client has left before it could be sent is not sent", async () => {
  const worker = startWorkerInMemory();
  const runner = await worker.runner({ tools: ["notes__read"] });
  const client = await worker.client();
  const response = await callTool(client, "notes__read", { signal: AbortSignal.abort() });
  const { error } = await messageOf(response);
  assert.deepEqual([error?.code, error?.data["executed"]], [1010, "no"]);
  assert.deepEqual(runner.all("call"), []);
  assert.equal(worker.clock.pending, 0);
});

test("2025-11-25: a client that leaves does not cancel its call", async () => {
  const worker = startWorkerInMemory();
  const runner = await worker.runner({ tools: ["notes__read"] });
  const session = await openSession(await worker.client());
  const leave = new AbortController();
  const params = { name: "notes__read" };
  const quick = inSession(session, "tools/call", params, { signal: leave.signal });
  const first = await runner.next("call");
  leave.abort();
  const slow = inSession(session, "tools/call", params, { id: 2 });
  const second = await runner.next("call");
  worker.clock.advance(750);
  await piecesOf(await slow).leave();
  for (const { header: { id } } of [first, second]) runner.say({ type: "result", id }, "{}");
  await (await quick).text();
  assert.deepEqual(runner.all("cancel"), []);
  assert.equal(worker.clock.pending, 0);
});

test("2025-11-25: the call of a client that has left can still be cancelled by it", async () => {
  const worker = startWorkerInMemory();
  const runner = await worker.runner({ tools: ["notes__read"] });
  const session = await openSession(await worker.client());
  const answer = inSession(session, "tools/call", { name: "notes__read" }, { id: 5 });
  const { header: { id } } = await runner.next("call");
  worker.clock.advance(750);
  await piecesOf(await answer).leave();
  await inSession(session, "notifications/cancelled", { requestId: 5 }, { id: null });
  assert.equal((await runner.next("cancel")).header.id, id);
});

test("a request that is refused late, once its answer has become a stream, leaves nothing open", async () => {
  const worker = startWorkerInMemory();
  const client = await worker.client();
  const { list } = worker.store;
  const slow = Promise.withResolvers<void>();
  worker.store.list = async (...args) => {
    await slow.promise;
    return await list(...args);
  };
  const answer = callTool(client, "nobody__has");
  await settled();
  worker.clock.advance(2_000);
  slow.resolve();
  const { error } = await messageOf(await answer);
  assert.equal(error?.code, -32602);
  assert.equal(worker.clock.pending, 0);
});
