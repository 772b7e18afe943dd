import assert from "node:assert/strict";
import { test } from "node:test";
import { INPUT_ERRORS_KEY } from "../../src/mcp/meta.ts";
import { inSession, messageOf } from "../support/home.ts";
import { call, FORM, ROOTS, start } from "../support/questions.ts";
import { beat, reply } from "../support/session.ts";

test("a question that nobody answers for five minutes is withdrawn, and the server told", async () => {
  const asking = await start();
  const { session, runner } = asking;
  const { clock } = session.client.worker;
  const events = await call(asking, { a: FORM });
  const { id } = await events.message();
  beat(runner, clock, 5 * 60_000);
  const withdrawn = await events.message();
  assert.equal(withdrawn.method, "notifications/cancelled");
  assert.equal(withdrawn.params?.["requestId"], id);
  const { payload } = await runner.next("call");
  const { _meta } = JSON.parse(payload) as {
    _meta: Record<string, Record<string, { code: number }>>;
  };
  assert.equal(_meta[INPUT_ERRORS_KEY]?.["a"]?.code, 1005);
  assert.equal(await reply(session, id, { result: {} }), 202, "a late answer is ignored");
});

test("a call that is cancelled while its client is asked takes the questions back", async () => {
  const asking = await start();
  const { session, runner } = asking;
  const events = await call(asking, { a: FORM, b: ROOTS }, { requestState: "2b7c3db9.s1" });
  const ids = [(await events.message()).id, (await events.message()).id];
  await inSession(session, "notifications/cancelled", { requestId: 1 }, { id: null });
  const withdrawn = [await events.message(), await events.message()];
  assert.deepEqual(withdrawn.map(({ method }) => method), Array(2).fill("notifications/cancelled"));
  assert.deepEqual(withdrawn.map(({ params }) => params?.["requestId"]), ids);
  const end = await events.message();
  assert.deepEqual([end.id, end.error?.code], [1, 1010]);
  // The call waits at the runner: it is told that there will be no answers, and then to cancel.
  const { header, payload } = await runner.next("call");
  const { inputResponses, requestState, _meta } = JSON.parse(payload) as {
    readonly inputResponses?: object;
    readonly requestState: string;
    readonly _meta: Record<string, Record<string, { code: number }>>;
  };
  assert.deepEqual([inputResponses ?? {}, requestState], [{}, "2b7c3db9.s1"]);
  const refused = Object.entries(_meta[INPUT_ERRORS_KEY] ?? {});
  assert.deepEqual(refused.map(([key, { code }]) => [key, code]), [["a", 1010], ["b", 1010]]);
  runner.say({ type: "accepted", id: header.id });
  assert.equal((await runner.next("cancel")).header.id, header.id);
  assert.equal(runner.all("call").length, 2);
  assert.equal(session.client.worker.clock.pending, 0);
});

test("a call that is cancelled in a later round is cancelled at the runner", async () => {
  const asking = await start();
  const { session, runner } = asking;
  const events = await call(asking, { a: FORM });
  await reply(session, (await events.message()).id, { result: { action: "cancel" } });
  const { header } = await runner.next("call");
  await inSession(session, "notifications/cancelled", { requestId: 1 }, { id: null });
  assert.equal((await runner.next("cancel")).header.id, header.id);
  assert.equal((await events.message()).error?.code, 1010);
});

test("a runner that is lost between two rounds may have done a part of the call", async () => {
  const asking = await start();
  const { session, runner } = asking;
  const rounds = [
    await call(asking, { who: FORM }, { id: 1 }),
    await call(asking, { who: FORM }, { id: 2, requestState: "2b7c3db9.s1" }),
  ];
  const questions = await Promise.all(rounds.map((events) => events.message()));
  runner.lose();
  for (const { id } of questions) await reply(session, id, { result: { action: "cancel" } });
  for (const events of rounds) {
    const { error } = await events.message();
    assert.equal(error?.data["code"], "runner_offline");
    assert.equal(error.data["executed"], "unknown");
    assert.match(
      error.message,
      /there; the call had begun, check what it did before you call again$/,
    );
  }
});

test("so may one that refuses a later round, and not one that refuses the first", async () => {
  const asking = await start();
  const { session, runner } = asking;
  const refused = { code: 1007, message: "Busy", data: { executed: "no", retryable: true } };
  const events = await call(asking, { who: FORM });
  await reply(session, (await events.message()).id, { result: { action: "cancel" } });
  const later = await runner.next("call");
  runner.say({ type: "error", id: later.header.id }, refused);
  assert.deepEqual((await events.message()).error, {
    ...refused,
    data: { executed: "unknown", retryable: true },
  });
  const answer = inSession(session, "tools/call", { name: "notes__read" }, { id: 2 });
  const first = await runner.next("call");
  runner.say({ type: "error", id: first.header.id }, refused);
  assert.deepEqual((await messageOf(await answer)).error, refused);
});
