import assert from "node:assert/strict";
import { after, test } from "node:test";
import { SLOW_MS } from "../../runner/task/promotion.ts";
import { fileStore } from "../../runner/task/store.ts";
import { Tasks } from "../../runner/task/tasks.ts";
import { eventually } from "../support/eventually.ts";
import { fakeClock } from "../support/fake-clock.ts";
import { errorOf } from "../support/gateway.ts";
import {
  openScripted,
  resultOf,
  type Script,
  type ScriptedGateway,
} from "../support/scripted-gateway.ts";
import { newTaskFolder, removeTaskFolders } from "../support/tasks.ts";

after(removeTaskFolders);

const EXTENSION = "io.modelcontextprotocol/tasks";
const declared = { clientCapabilities: { extensions: { [EXTENSION]: {} } } };

/** A gateway with tasks of its own. */
async function withTasks(scripts: Record<string, Script>): Promise<ScriptedGateway> {
  const clock = fakeClock();
  const tasks = await Tasks.open({
    store: fileStore(await newTaskFolder()),
    runner: "runner-1",
    owner: "this process",
    isAlive: () => Promise.resolve(false),
    clock,
    log: () => {},
  });
  return { ...openScripted(scripts, { tasks, clock }), clock };
}

test("a slow call of a tool that may be a task becomes one, and holds the final result", async () => {
  const rules = { auto: ["slow"], required: [] };
  const bench = await withTasks({ a: { tools: ["slow"], tasks: rules } });
  const events = await bench.ask("tools/call", { name: "a__slow" }, declared);
  bench.server("a").last.listener.accepted();
  bench.clock.advance(SLOW_MS);
  await eventually(
    "the task to be made",
    () => Promise.resolve(events.length === 2 ? events : undefined),
  );
  assert.match(events[1] ?? "", /^task result /);
  assert.equal(bench.gateway.inFlight, 0);
  const taskId = String(resultOf(events)["taskId"]);
  bench.server("a").last.result('{"content":[]}');
  const asked = await bench.ask("tasks/get", { taskId }, declared);
  const shown = await eventually(
    "an answer",
    () => Promise.resolve(asked.length === 2 ? resultOf(asked) : undefined),
  );
  assert.equal(shown["status"], "completed");
  const { resultType, _meta, content } = shown["result"] as Record<string, unknown>;
  assert.deepEqual([resultType, content], ["complete", []]);
  assert.ok(_meta);
});

test("a caller that does not declare the extension is served as ever", async () => {
  const rules = { auto: ["slow"], required: [] };
  const bench = await withTasks({ a: { tools: ["slow"], tasks: rules } });
  const events = await bench.ask("tools/call", { name: "a__slow" });
  bench.server("a").last.listener.accepted();
  bench.clock.advance(30_000);
  bench.server("a").last.result('{"content":[]}');
  assert.deepEqual(resultOf(events.slice(0, 2))["content"], []);
});

test("but not by a tool that requires it", async () => {
  const bench = await withTasks({ a: { tools: ["big"], tasks: { auto: [], required: ["big"] } } });
  const [event] = await bench.ask("tools/call", { name: "a__big" });
  assert.match(event ?? "", /^error \{"code":-32021,.*"requiredCapabilities":\{"extensions":/);
  assert.match(event ?? "", / 400$/);
  assert.equal(bench.server("a").exchanges.length, 0);
});

test("tools without such a rule never become tasks", async () => {
  const rules = { auto: ["slow"], required: [] };
  const bench = await withTasks({ a: { tools: ["echo"], tasks: rules } });
  const events = await bench.ask("tools/call", { name: "a__echo" }, declared);
  bench.server("a").last.listener.accepted();
  bench.clock.advance(30_000);
  assert.deepEqual(events, ["accepted"]);
});

for (const method of ["tasks/get", "tasks/update", "tasks/cancel"]) {
  test(`${method} needs the extension, and a task of this client`, async () => {
    const bench = await withTasks({ a: { tools: ["echo"], ownTasks: true } });
    const params = { taskId: "runner-1.x", inputResponses: {} };
    const [undeclared] = await bench.ask(method, params);
    assert.match(undeclared ?? "", /^error \{"code":-32021,.* 400$/);
    for (
      const taskId of ["runner-1.x", "x", "", `runner-1.task_${"0".repeat(32)}`, "runner-1.s-a.b"]
    ) {
      const events = await bench.ask(method, { ...params, taskId }, declared);
      const { code, message } = errorOf(events);
      assert.deepEqual([code, message], [
        -32602,
        "Cannot find the task: it has expired or does not exist",
      ]);
    }
    const missing = await bench.ask(method, {}, declared);
    assert.equal(errorOf(missing).data.code, "invalid_params");
  });
}

/** A task that the server "a" keeps itself, and the id under which the client knows it. */
async function serverTask(): Promise<ScriptedGateway & { readonly taskId: string }> {
  const tasks = { auto: ["*"], required: [] };
  const bench = await withTasks({ a: { tools: ["slow"], ownTasks: true, tasks }, b: {} });
  const events = await bench.ask("tools/call", { name: "a__slow" }, declared);
  bench.server("a").last.result('{"resultType":"task","taskId":"own-1","status":"working"}');
  assert.match(events[1] ?? "", /^task result /);
  return { ...bench, taskId: String(resultOf(events)["taskId"]) };
}

test("a task of a server is seen under an id of ours, and asked for under its own", async () => {
  const { taskId, ask, server } = await serverTask();
  assert.match(taskId, /^runner-1\.s-/);
  const events = await ask("tasks/get", { taskId }, declared);
  const { exchange, params, result } = server("a").last;
  assert.deepEqual([exchange.method, params], ["tasks/get", '{"taskId":"own-1"}']);
  result('{"resultType":"complete","taskId":"own-1","status":"working"}');
  assert.match(String(resultOf(events)["taskId"]), /^runner-1\.s-/);
  const again = await ask("tasks/cancel", { taskId: resultOf(events)["taskId"] }, declared);
  assert.deepEqual(server("a").last.params, '{"taskId":"own-1"}');
  assert.deepEqual(again, []);
});

test("calls of a server with tasks of its own never become ours", async () => {
  const tasks = { auto: ["*"], required: [] };
  const bench = await withTasks({ a: { tools: ["slow"], ownTasks: true, tasks } });
  const events = await bench.ask("tools/call", { name: "a__slow" }, declared);
  bench.server("a").last.listener.accepted();
  bench.clock.advance(30_000);
  bench.server("a").last.result('{"content":[]}');
  assert.deepEqual(resultOf(events.filter((event) => event !== "accepted"))["content"], []);
});

test("answers to a server's task reach it as they are", async () => {
  const { taskId, ask, server } = await serverTask();
  const inputResponses = { who: { action: "accept" } };
  await ask("tasks/update", { taskId, inputResponses }, declared);
  assert.deepEqual(JSON.parse(server("a").last.params), { taskId: "own-1", inputResponses });
  assert.equal("input" in server("a").last.exchange, false);
});

test("a server's task is its client's alone, and its id cannot be made up", async () => {
  const { taskId, ask, server } = await serverTask();
  const eve = await ask("tasks/get", { taskId }, { ...declared, caller: { client: "eve" } });
  const forged = await ask("tasks/get", { taskId: `${taskId}x` }, declared);
  for (const events of [eve, forged]) assert.equal(errorOf(events).data.code, "invalid_params");
  assert.equal(server("a").exchanges.length, 1);
});
