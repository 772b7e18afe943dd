import assert from "node:assert/strict";
import { test } from "node:test";
import {
  callTool,
  type Client,
  type FakeRunner,
  inSession,
  messageOf,
  openSession,
  startWorkerInMemory,
} from "../support/home.ts";

/** What a call that fails says: its code, its name, whether it ran, whether to try again. */
async function failureOf(answer: Promise<Response>): Promise<readonly unknown[]> {
  const response = await answer;
  assert.equal(response.status, 200);
  const { error } = await messageOf(response);
  const { code, executed, retryable } = error?.data ?? {};
  return [error?.code, code, executed, retryable];
}

const OFFLINE = [1001, "runner_offline", "no", true];
const LOST = [1002, "runner_lost", "unknown", false];
const LATE = [1005, "call_timeout", "unknown", false];
const OVERLOADED = [1007, "overloaded", "no", true];

/** Calls in both eras, and once for a client that takes no stream. */
const eras: ReadonlyArray<readonly [era: string, call: (client: Client) => Promise<Response>]> = [
  ["2026-07-28", (client) => callTool(client, "notes__read")],
  [
    "2025-11-25",
    async (client) =>
      await inSession(await openSession(client), "tools/call", { name: "notes__read" }),
  ],
  [
    "a client without streams",
    (client) => callTool(client, "notes__read", { headers: { accept: "application/json" } }),
  ],
];

for (const [era, call] of eras) {
  test(`${era}: a runner lost during the call ends it, and it may have run`, async () => {
    const worker = startWorkerInMemory();
    const runner = await worker.runner({ tools: ["notes__read"] });
    const answer = call(await worker.client());
    const { header: { id } } = await runner.next("call");
    runner.say({ type: "accepted", id });
    runner.lose();
    assert.deepEqual(await failureOf(answer), LOST);
  });

  test(`${era}: no answer within 290 s ends the call and tells the runner`, async () => {
    const worker = startWorkerInMemory();
    const runner = await worker.runner({ tools: ["notes__read"] });
    const answer = call(await worker.client());
    const { header: { id } } = await runner.next("call");
    for (let passed = 0; passed < 290_000; passed += 10_000) {
      assert.deepEqual(runner.all("cancel"), []);
      worker.clock.advance(10_000);
      runner.text("p");
    }
    const text = await (await answer).text();
    assert.match(text, /"code":1005/);
    assert.deepEqual((await runner.next("cancel")).header, {
      type: "cancel",
      id,
      reason: "Deadline",
    });
    runner.say({ type: "result", id }, "{}");
    assert.equal(worker.clock.pending, 0);
  });
}

test("the deadline's error says that the tool may have run", async () => {
  const worker = startWorkerInMemory();
  const runner = await worker.runner({ tools: ["notes__read"] });
  const answer = callTool(await worker.client(), "notes__read", {
    headers: { accept: "application/json" },
  });
  await runner.next("call");
  for (let n = 0; n < 29; n++) {
    worker.clock.advance(10_000);
    runner.text("p");
  }
  assert.deepEqual(await failureOf(answer), LATE);
});

test("before any runner has connected, a client is told to connect one", async () => {
  const worker = startWorkerInMemory();
  const { error } = await messageOf(await callTool(await worker.client(), "notes__read"));
  assert.match(error?.message ?? "", /Unknown tool/, "nobody has offered the tool");
});

test("while its runner is away, a call is refused at once, by machine, time and remedy", async () => {
  const worker = startWorkerInMemory();
  const away = await worker.runner({ id: "a", machine: "ada-laptop", tools: ["notes__read"] });
  await worker.runner({ id: "b", machine: "bob-server", tools: ["git__log"] });
  away.lose();
  const client = await worker.client();
  const spans: ReadonlyArray<readonly [ms: number, text: string]> = [
    [0, "0 s ago"],
    [90_000, "90 s ago"],
    [30 * 60_000, "32 min ago"],
    [5 * 3_600_000, "6 h ago"],
  ];
  for (const [ms, text] of spans) {
    worker.clock.advance(ms);
    const { error } = await messageOf(await callTool(client, "notes__read"));
    assert.equal(
      error?.message,
      `Cannot call the tool: the runner on "ada-laptop" is not connected, last seen ${text}; ` +
        'run "npx mcp-runner connect" there',
    );
  }
  assert.deepEqual(await failureOf(callTool(client, "notes__read")), OFFLINE);
});

test("after a restart, a runner was last seen when it disconnected", async () => {
  const before = startWorkerInMemory();
  const { clock, store } = before;
  const runner = await before.runner({ tools: ["notes__read"] });
  const client = await before.client();
  clock.advance(3_600_000);
  runner.lose();
  const worker = startWorkerInMemory({ clock, store });
  const { error } = await messageOf(await callTool({ ...client, worker }, "notes__read"));
  assert.match(error?.message ?? "", /last seen 0 s ago/);
});

test("a runner that comes back is called again", async () => {
  const worker = startWorkerInMemory();
  (await worker.runner({ tools: ["notes__read"] })).lose();
  const back = await worker.runner();
  const answer = callTool(await worker.client(), "notes__read");
  back.say({ type: "result", id: (await back.next("call")).header.id }, "{}");
  assert.deepEqual((await messageOf(await answer)).result, {});
});

test("a runner that drains gets no new call and ends those that it has", async () => {
  const worker = startWorkerInMemory();
  const draining = await worker.runner({ id: "a", tools: ["notes__read"] });
  const client = await worker.client();
  const inFlight = callTool(client, "notes__read");
  const { header: { id } } = await draining.next("call");
  draining.say({ type: "drain", reason: "The runner is stopping", deadlineMs: 10_000 });
  assert.deepEqual(await failureOf(callTool(client, "notes__read")), OFFLINE);

  const other = await worker.runner({ id: "b", tools: ["notes__read"] });
  const next = callTool(client, "notes__read");
  other.say({ type: "result", id: (await other.next("call")).header.id }, '{"by":"b"}');
  assert.deepEqual((await messageOf(await next)).result, { by: "b" });
  draining.say({ type: "result", id }, '{"by":"a"}');
  assert.deepEqual((await messageOf(await inFlight)).result, { by: "a" });
  assert.equal(draining.all("call").length, 1);
});

/** Answers every call that `runner` has, and those that come. */
function answerAll(runner: FakeRunner): void {
  for (const { header: { id } } of runner.all("call")) runner.say({ type: "result", id }, "{}");
}

test("a runner gets no more calls at a time than it takes; the next is refused at once", async () => {
  const worker = startWorkerInMemory();
  const runner = await worker.runner({ maxCalls: 3, tools: ["notes__read"] });
  const client = await worker.client();
  const answers = [1, 2, 3].map(() => callTool(client, "notes__read"));
  await Promise.all(answers.map(() => runner.next("call")));
  assert.deepEqual(await failureOf(callTool(client, "notes__read")), OVERLOADED);
  answerAll(runner);
  await Promise.all(answers);
  const next = callTool(client, "notes__read");
  runner.say({ type: "result", id: (await runner.next("call")).header.id }, "{}");
  assert.equal((await messageOf(await next)).error, undefined);
});

test("a home takes 1,024 calls at a time, and more once those have ended", async () => {
  const worker = startWorkerInMemory();
  const runner = await worker.runner({ maxCalls: 5_000, tools: ["notes__read"] });
  const client = await worker.client();
  const answers = Array.from({ length: 1_024 }, () => callTool(client, "notes__read"));
  await Promise.all(answers.map(() => runner.next("call")));
  assert.deepEqual(await failureOf(callTool(client, "notes__read")), OVERLOADED);
  answerAll(runner);
  await Promise.all(answers);
  const next = callTool(client, "notes__read");
  runner.say({ type: "result", id: (await runner.next("call")).header.id }, "{}");
  assert.equal((await messageOf(await next)).error, undefined);
});

test("every way in which a call ends makes room for another", async () => {
  const worker = startWorkerInMemory();
  const client = await worker.client();
  const ways: ReadonlyArray<(runner: FakeRunner, id: string, leave: AbortController) => void> = [
    (runner, id) => runner.say({ type: "result", id }, "{}"),
    (runner, id) => runner.say({ type: "error", id }, '{"code":1,"message":""}'),
    (runner) => runner.lose(),
    (runner) => runner.text("broken"),
    (_, __, leave) => leave.abort(),
    () => worker.clock.advance(60_000),
  ];
  for (const way of ways) {
    const runner = await worker.runner({ maxCalls: 1, tools: ["notes__read"] });
    const leave = new AbortController();
    const answer = callTool(client, "notes__read", { signal: leave.signal });
    way(runner, (await runner.next("call")).header.id, leave);
    await (await answer).text();
    assert.equal(worker.clock.pending, 0);
  }
});
