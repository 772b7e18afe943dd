import assert from "node:assert/strict";
import { after, test } from "node:test";
import { POLL_INTERVAL_MS } from "../../runner/task/record.ts";
import { TASK_DEADLINE_MS } from "../../runner/task/task.ts";
import { openTasks, removeTaskFolders, type TaskBench } from "../support/tasks.ts";

after(removeTaskFolders);

const ACKNOWLEDGED = '{"resultType":"complete"}';
const NAME = '{ "method": "elicitation/create", "params": {"message":"Who?"} }';
const AGE = '{"method":"elicitation/create","params":{"message":"How old?"}}';

/** A task that waits for the answers to these questions. */
async function openAsking(requests: string, state?: string) {
  const bench = await openTasks();
  const { taskId, exchange } = await bench.newTask();
  exchange.ask(requests, state);
  return { ...bench, bench, taskId, exchange };
}

function update({ request }: TaskBench, taskId: string, inputResponses: unknown): Promise<string> {
  return request("tasks/update", { taskId, inputResponses });
}

test("a task that waits for input shows the server's question byte for byte", async () => {
  const { request, taskId, clock, newTask } = await openAsking(`{"name":${NAME}}`);
  assert.match(await request("tasks/get", { taskId }), /"status":"input_required"/);
  assert.ok(
    (await request("tasks/get", { taskId })).endsWith(`,"inputRequests":{"name":${NAME}}}`),
  );
  clock.advance(5);
  const later = await newTask();
  clock.advance(5);
  later.exchange.ask(`{"name":${NAME}}`);
  assert.match(
    await request("tasks/get", { taskId: later.taskId }),
    /"createdAt":"2027-01-15T08:00:00.005Z","lastUpdatedAt":"2027-01-15T08:00:00.010Z"/,
  );
});

test("the answer goes to the server with its state, and the task works on to its end", async () => {
  const { bench, taskId, get } = await openAsking(`{"name":${NAME}}`, "state 1");
  const answer = { action: "accept", content: { name: "Ada" } };
  assert.equal(await update(bench, taskId, { name: answer }), ACKNOWLEDGED);
  const { status, inputRequests } = await get(taskId);
  assert.deepEqual([status, inputRequests], ["working", undefined]);
  const [first, second] = bench.exchanges;
  assert.ok(first);
  const { patienceMs, ...exchange } = first.exchange;
  assert.deepEqual({ ...second?.exchange, patienceMs }, {
    ...exchange,
    patienceMs,
    input: {
      state: "state 1",
      responses: new Map([["name", JSON.stringify(answer)]]),
      errors: new Map(),
    },
  });
  assert.equal(second?.exchange.patienceMs?.(), TASK_DEADLINE_MS, "as long as the task lives");
  assert.equal(patienceMs?.(), TASK_DEADLINE_MS);
  second?.result('{"content":[]}');
  assert.equal((await get(taskId)).status, "completed");
});

test("answers come one by one: only what has none is asked, and the server hears them together", async () => {
  const { bench, taskId, get } = await openAsking(`{"name":${NAME},"age":${AGE}}`);
  assert.equal(await update(bench, taskId, { age: { a: 36 } }), ACKNOWLEDGED);
  const { status, inputRequests } = await get(taskId);
  assert.equal(status, "input_required");
  assert.deepEqual(Object.keys(inputRequests ?? {}), ["name"]);
  assert.equal(bench.exchanges.length, 1);
  await update(bench, taskId, { name: { a: "Ada" }, age: { a: 99 } });
  assert.deepEqual([...bench.latest.exchange.input?.responses ?? []], [
    ["age", '{"a":36}'],
    ["name", '{"a":"Ada"}'],
  ]);
  assert.equal(bench.exchanges.length, 2);
});

test("answers to what nobody asked are acknowledged and change nothing", async () => {
  const { bench, taskId, get } = await openAsking(`{"name":${NAME}}`);
  const before = await get(taskId);
  for (const responses of [{}, { other: {} }, JSON.parse('{"__proto__":{}}')]) {
    assert.equal(await update(bench, taskId, responses), ACKNOWLEDGED);
  }
  assert.deepEqual(await get(taskId), before);
  assert.equal(bench.exchanges.length, 1);
});

test("answers to a task that waits for none, or has ended, are acknowledged", async () => {
  const bench = await openTasks();
  const { taskId, exchange } = await bench.newTask();
  assert.equal(await update(bench, taskId, { name: {} }), ACKNOWLEDGED);
  exchange.result("{}");
  assert.equal((await bench.get(taskId)).status, "completed");
  assert.equal(await update(bench, taskId, { name: {} }), ACKNOWLEDGED);
  assert.equal(bench.exchanges.length, 1);
});

test("a key that a server uses again is another one for the client", async () => {
  const { bench, taskId, get } = await openAsking(`{"name":${NAME}}`, "1");
  await update(bench, taskId, { name: { a: 1 } });
  bench.latest.ask(`{"name":${AGE},"name-2":${NAME}}`, "2");
  const second = await get(taskId);
  assert.deepEqual(Object.keys(second.inputRequests ?? {}), ["name-2", "name-2-2"]);
  // A late repetition of the first answer is not one to the second question.
  await update(bench, taskId, { name: { a: 1 } });
  assert.deepEqual(await get(taskId), second);
  await update(bench, taskId, { "name-2": { a: 2 }, "name-2-2": { a: 3 } });
  assert.deepEqual(bench.latest.exchange.input, {
    state: "2",
    responses: new Map([["name", '{"a":2}'], ["name-2", '{"a":3}']]),
    errors: new Map(),
  });
});

test("each round brings its own answers alone", async () => {
  const { bench, taskId } = await openAsking(`{"name":${NAME}}`);
  await update(bench, taskId, { name: { a: 1 } });
  const first = bench.latest.exchange.input;
  bench.latest.ask(`{"age":${AGE}}`);
  await update(bench, taskId, { age: { a: 2 } });
  assert.deepEqual([...first?.responses ?? []], [["name", '{"a":1}']]);
  assert.deepEqual([...bench.latest.exchange.input?.responses ?? []], [["age", '{"a":2}']]);
});

test("a key may be any text", async () => {
  const { bench, taskId, get } = await openAsking(`{"__proto__":${NAME},"\\u00e4\\"":${AGE}}`);
  assert.deepEqual(Object.keys((await get(taskId)).inputRequests ?? {}), ["__proto__", 'ä"']);
  await update(bench, taskId, JSON.parse('{"__proto__":{"a":1},"ä\\"":{"a":2}}'));
  assert.deepEqual([...bench.latest.exchange.input?.responses.keys() ?? []], ["__proto__", 'ä"']);
});

test("a server that only wants to be called again is, after a pause, and nobody is asked", async () => {
  const { bench, taskId, get, clock } = await openAsking("{}", "state 1");
  assert.equal((await get(taskId)).status, "working");
  clock.advance(POLL_INTERVAL_MS - 1);
  assert.equal(bench.exchanges.length, 1);
  clock.advance(1);
  assert.deepEqual(bench.latest.exchange.input, {
    state: "state 1",
    responses: new Map(),
    errors: new Map(),
  });
  bench.latest.result("{}");
  assert.equal((await get(taskId)).status, "completed");
});

test("a task that is cancelled in such a pause does not call its server again", async () => {
  const { bench, taskId, request, clock } = await openAsking("{}", "state 1");
  await request("tasks/cancel", { taskId });
  clock.advance(POLL_INTERVAL_MS);
  assert.equal(bench.exchanges.length, 1);
});

test("a task that waits for input can be cancelled, and answers come too late", async () => {
  const { bench, taskId, request, get, exchange } = await openAsking(`{"name":${NAME}}`);
  await request("tasks/cancel", { taskId });
  assert.deepEqual(exchange.withdrawn, ["Cancelled by the client"]);
  await update(bench, taskId, { name: {} });
  const { status, inputRequests } = await get(taskId);
  assert.deepEqual([status, inputRequests], ["cancelled", undefined]);
  assert.equal(bench.exchanges.length, 1);
});

test("an answer or a question in the moment of the cancellation comes too late", async () => {
  const { bench, taskId, request, exchange, clock } = await openAsking(`{"name":${NAME}}`);
  const cancelled = request("tasks/cancel", { taskId });
  await update(bench, taskId, { name: {} });
  exchange.ask("{}", "state 2");
  await cancelled;
  clock.advance(POLL_INTERVAL_MS);
  assert.equal(bench.exchanges.length, 1);
});

test("a task with more questions than anybody can answer has failed", async () => {
  const questions = Array.from({ length: 101 }, (_, n) => `"q${n}":${NAME}`);
  const { taskId, get } = await openAsking(`{${questions.join(",")}}`);
  const { status, error } = await get(taskId);
  assert.equal(status, "failed");
  assert.equal(error?.data?.["code"], "server_failed");
});
