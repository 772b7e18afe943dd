import assert from "node:assert/strict";
import { after, test } from "node:test";
import { COLD_MS, SLOW_MS } from "../../runner/task/promotion.ts";
import { MAX_RUNNING } from "../../runner/task/tasks.ts";
import { eventually } from "../support/eventually.ts";
import { settled } from "../support/settled.ts";
import { ada, EXTENSION, openTasks, plain, removeTaskFolders } from "../support/tasks.ts";

after(removeTaskFolders);

const RESULT = '{"content":[{"type":"text","text":"42"}]}';

test("a tool that answers in time answers its call, and no task was ever made", async () => {
  const { call, latest, clock, files } = await openSlow();
  const { events } = call;
  latest.listener.accepted();
  clock.advance(SLOW_MS - 1);
  latest.result(RESULT);
  clock.advance(COLD_MS);
  await settled();
  assert.deepEqual(events, ["accepted", `result ${RESULT}`]);
  assert.deepEqual(await files(), []);
});

test("a slow call becomes a task, which holds what the tool says later", async () => {
  const { call, latest, clock, get } = await openSlow();
  latest.listener.accepted();
  clock.advance(SLOW_MS);
  const created = await call.created();
  assert.deepEqual(created, {
    resultType: "task",
    taskId: created.taskId,
    status: "working",
    createdAt: "2027-01-15T08:00:00.500Z",
    lastUpdatedAt: "2027-01-15T08:00:00.500Z",
    ttlMs: 86_400_000,
    pollIntervalMs: 1_000,
  });
  assert.match(created.taskId, /^r1\.task_[0-9a-f]{32}$/);
  assert.equal((await get(created.taskId)).status, "working");
  latest.result(RESULT);
  const { status, result } = await get(created.taskId);
  assert.equal(status, "completed");
  assert.deepEqual(result, { resultType: "complete", ...JSON.parse(RESULT) });
  assert.equal(call.events.length, 2);
});

test("a server that has to be started has more time before its call becomes a task", async () => {
  const { call, latest, clock } = await openSlow();
  clock.advance(COLD_MS - 1);
  await settled();
  assert.deepEqual(call.events, []);
  clock.advance(1);
  await call.created();
  latest.listener.accepted();
  assert.equal(call.events.length, 1);
});

test("a server that gets the call while its task is written makes no second task", async () => {
  const { call, latest, clock, tasks } = await openSlow();
  clock.advance(COLD_MS);
  latest.listener.accepted();
  clock.advance(SLOW_MS);
  await call.created();
  assert.equal(tasks.running, 1);
});

test("two tasks have ids that say nothing of each other", async () => {
  const { newTask } = await openTasks();
  assert.notEqual((await newTask()).taskId, (await newTask()).taskId);
});

test("a tool that requires tasks makes one at once, before it begins", async () => {
  const order: string[] = [];
  const bench = await openTasks({
    store: (store) => ({
      ...store,
      write: async (record, body) => {
        const bytes = await store.write(record, body);
        order.push(`written, ${bench.exchanges.length} begun`);
        return bytes;
      },
    }),
  });
  const call = bench.call("required");
  const { taskId } = await call.created();
  assert.deepEqual(order, ["written, 0 begun"]);
  assert.equal(bench.exchanges.length, 1);
  assert.equal((await bench.get(taskId)).status, "working");
});

test("who has not declared the extension gets what a tool says when it says it", async () => {
  const { call, exchanges, clock } = await openTasks();
  const { events } = call("auto", { caller: plain });
  clock.advance(COLD_MS);
  await settled();
  exchanges[0]?.result(RESULT);
  assert.deepEqual(events, [`result ${RESULT}`]);
});

test("a legacy client cannot declare the extension", async () => {
  const { call, exchanges, clock } = await openTasks();
  const { events } = call("auto", { caller: { ...ada, protocolVersion: "2025-11-25" } });
  clock.advance(COLD_MS);
  exchanges[0]?.result(RESULT);
  assert.deepEqual(events, [`result ${RESULT}`]);
});

test("a tool that requires tasks cannot be called without the extension", async () => {
  const { call, exchanges } = await openTasks();
  const { events } = call("required", { caller: plain });
  const [event = ""] = events;
  const { code, data } = JSON.parse(event.slice("failed ".length)) as {
    readonly code: number;
    readonly data: Record<string, unknown>;
  };
  assert.equal(code, -32021);
  assert.deepEqual(data["requiredCapabilities"], { extensions: { [EXTENSION]: {} } });
  assert.equal(exchanges.length, 0);
});

test("a tool without tasks makes none, however slow it is", async () => {
  const { call, exchanges, clock } = await openTasks();
  const { events } = call("never");
  clock.advance(COLD_MS);
  await settled();
  exchanges[0]?.result(RESULT);
  assert.deepEqual(events, [`result ${RESULT}`]);
});

test("input that is asked for in time is asked of the call, and the retry becomes the task", async () => {
  const { call, exchanges, clock, get } = await openTasks();
  const first = call("auto");
  exchanges[0]?.ask('{"name":{"method":"elicitation/create"}}', "state 1");
  clock.advance(COLD_MS);
  await settled();
  assert.deepEqual(first.events, [
    'input {"inputRequests":{"name":{"method":"elicitation/create"}}} state 1',
  ]);
  const input = { state: "state 1", responses: new Map([["name", "{}"]]), errors: new Map() };
  const second = call("auto", { input });
  assert.equal(exchanges[1]?.exchange.input, input);
  clock.advance(COLD_MS);
  const created = await second.created();
  assert.equal("requestState" in created, false);
  exchanges[1]?.result(RESULT);
  assert.equal((await get(created.taskId)).status, "completed");
});

test("progress goes to the call, and no further once it is a task", async () => {
  const { call, latest, clock } = await openSlow();
  latest.listener.note("1");
  clock.advance(COLD_MS);
  await call.created();
  latest.listener.note("2");
  assert.deepEqual(call.events.filter((event) => event.startsWith("note")), ["note 1"]);
});

test("an answer that comes while the task is written is the task's", async () => {
  const { call, latest, clock, get } = await openSlow();
  clock.advance(COLD_MS);
  latest.result(RESULT);
  const { taskId, status } = await call.created();
  assert.equal(status, "working");
  assert.equal((await get(taskId)).status, "completed");
  assert.equal(call.events.length, 1);
});

for (const policy of ["auto", "required"] as const) {
  test(`a call (${policy}) that is withdrawn before it is a task leaves nothing behind`, async () => {
    const { tasks, call, exchanges, clock, files, folder } = await openTasks();
    const { events, withdraw } = call(policy);
    clock.advance(COLD_MS);
    withdraw("The client has left");
    await eventually("the file is gone", async () => {
      await settled();
      return tasks.running === 0 && (await files()).length === 0 ? folder : undefined;
    });
    assert.deepEqual(events, []);
    assert.deepEqual(
      exchanges.flatMap(({ withdrawn }) => withdrawn),
      policy === "auto" ? ["The client has left"] : [],
    );
    assert.equal(clock.pending, 0);
  });
}

test("a call that is withdrawn before it was slow never becomes a task", async () => {
  const { call, clock, files } = await openSlow();
  call.withdraw("The client has left");
  assert.equal(clock.pending, 0);
  assert.deepEqual(await files(), []);
});

for (const policy of ["auto", "required"] as const) {
  test(`a call (${policy}) whose task cannot be written, withdrawn meanwhile, hears nothing`, async () => {
    const { call, clock, log } = await openFull();
    const { events, withdraw } = call(policy);
    clock.advance(COLD_MS);
    withdraw("The client has left");
    await settled();
    assert.deepEqual(events, []);
    assert.deepEqual(log, []);
  });
}

test("cancelling a task withdraws the call that it came from", async () => {
  const { call, latest, clock, request } = await openSlow();
  clock.advance(COLD_MS);
  const { taskId } = await call.created();
  await request("tasks/cancel", { taskId });
  assert.deepEqual(latest.withdrawn, ["Cancelled by the client"]);
});

test("a call that becomes a task while the runner stops is withdrawn", async () => {
  const { call, latest, clock, tasks } = await openSlow();
  clock.advance(COLD_MS);
  await tasks.stop();
  await call.created();
  assert.deepEqual(latest.withdrawn, ["The task has ended"]);
});

test("a withdrawal after a call has become a task means nothing to the task", async () => {
  const { call, latest, clock, get } = await openSlow();
  clock.advance(COLD_MS);
  const { taskId } = await call.created();
  call.withdraw("Tunnel lost");
  assert.deepEqual(latest.withdrawn, []);
  latest.result(RESULT);
  assert.equal((await get(taskId)).status, "completed");
});

test("a slow call stays a call when its task cannot be written", async () => {
  const bench = await openFull();
  const { events, withdraw } = bench.call("auto");
  bench.clock.advance(COLD_MS);
  bench.latest.result(RESULT);
  await settled();
  assert.deepEqual(events, [`result ${RESULT}`]);
  assert.deepEqual(bench.log, ["warn A slow call could not become a task"]);
  assert.equal(bench.tasks.running, 0);
  withdraw("too late");
});

test("a call that could not become a task can still be withdrawn", async () => {
  const bench = await openFull();
  const { withdraw } = bench.call("auto");
  bench.clock.advance(COLD_MS);
  await settled();
  withdraw("The client has left");
  assert.deepEqual(bench.latest.withdrawn, ["The client has left"]);
});

test("a tool that requires a task does not run when it cannot be written", async () => {
  const bench = await openFull();
  const { events } = bench.call("required");
  await settled();
  assert.match(events.join(), /^failed .*"store_unavailable"/);
  assert.equal(bench.exchanges.length, 0);
});

test("a runner takes only so many tasks at a time", async () => {
  const bench = await openTasks({
    store: (store) => ({ ...store, write: () => Promise.resolve(100) }),
  });
  for (let n = 0; n < MAX_RUNNING; n++) await bench.newTask();
  const { events } = bench.call("required");
  await settled();
  assert.match(events.join(), /^failed .*"overloaded","executed":"no","retryable":true/);
  bench.latest.result(RESULT);
  await settled();
  await bench.newTask();
});

/** A call of the policy `auto` whose exchange has begun. */
async function openSlow() {
  const bench = await openTasks();
  const call = bench.call("auto");
  const { latest } = bench;
  return { ...bench, call, latest };
}

/** Tasks whose disk is full. */
function openFull() {
  return openTasks({
    store: (store) => ({ ...store, write: () => Promise.reject(new Error("ENOSPC")) }),
  });
}
