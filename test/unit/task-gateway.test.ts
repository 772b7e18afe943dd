import assert from "node:assert/strict";
import { after, test } from "node:test";
import { Gateway } from "../../runner/gateway/gateway.ts";
import { GATHER_MS } from "../../runner/server/legacy-call.ts";
import { SLOW_MS } from "../../runner/task/promotion.ts";
import { fileStore } from "../../runner/task/store.ts";
import { Tasks } from "../../runner/task/tasks.ts";
import { DENY_ALL } from "../../src/policy/allowlist.ts";
import { eventually } from "../support/eventually.ts";
import { recordedReply } from "../support/gateway.ts";
import { silent, wellBehaved } from "../support/pipe.ts";
import { openServer } from "../support/server.ts";
import { EXTENSION, newTaskFolder, removeTaskFolders } from "../support/tasks.ts";

after(removeTaskFolders);

type Json = Record<string, unknown>;

/** A gateway with one legacy server, whose tools "slow" and "job" the test plays. */
async function openTaskGateway() {
  const behave = () => wellBehaved(["slow", "job"], { "tools/call": silent });
  const { server, clock, pipes, log } = openServer({ name: "a", behave });
  const tasks = await Tasks.open({
    store: fileStore(await newTaskFolder()),
    runner: "r1",
    owner: "this process",
    isAlive: () => Promise.resolve(false),
    clock,
    log: () => {},
  });
  const gateway = new Gateway({
    runner: "r1",
    servers: [{
      server,
      prefix: "a__",
      rules: {
        tools: { allow: ["*"], deny: [] },
        prompts: DENY_ALL,
        resources: DENY_ALL,
      },
      tasks: { auto: ["slow"], required: ["job"] },
      transport: "stdio",
    }],
    clock,
    log: () => {},
    tasks,
  });
  await gateway.start();
  let calls = 0;
  const call = (
    method: "tools/call" | "tasks/get" | "tasks/update" | "tasks/cancel",
    params: Json,
  ) => {
    const { reply, events } = recordedReply();
    const id = `call-${++calls}`;
    gateway.call({
      id,
      method,
      deadlineMs: 60_000,
      protocolVersion: "2026-07-28",
      clientCapabilities: { elicitation: {}, extensions: { [EXTENSION]: {} } },
      caller: { client: "ada" },
      params: JSON.stringify(params),
    }, reply);
    /** The result, and of what type it is. */
    const result = () =>
      eventually(`${method} ends`, () => {
        const event = events.find((each) => /^(?:\w+ )?result|^error/.test(each));
        const json = event?.slice(event.indexOf("{"));
        return Promise.resolve(json === undefined ? undefined : JSON.parse(json) as Json);
      });
    return { id, events, result };
  };
  const get = async (taskId: unknown) => await call("tasks/get", { taskId }).result();
  /** The call as it reached a process of the server, and that process. */
  const reached = () =>
    eventually("the call reaches its server", () => {
      const pipe = pipes.find((each) => each.received("tools/call").length > 0);
      const id = pipe?.received("tools/call")[0]?.id;
      return Promise.resolve(pipe && { pipe, id });
    });
  return { gateway, clock, log, call, get, reached };
}

test("a slow call of a legacy server outlives the connection that it came by, and its deadline", async () => {
  const { gateway, clock, call, get, reached } = await openTaskGateway();
  const slow = call("tools/call", { name: "a__slow" });
  const { pipe, id } = await reached();
  clock.advance(SLOW_MS);
  const { taskId, resultType } = await slow.result();
  assert.equal(resultType, "task");
  assert.ok(slow.events.some((event) => event.startsWith("task result ")));
  assert.equal(gateway.inFlight, 0);
  gateway.cancelAll("Tunnel lost");
  clock.advance(3_600_000);
  assert.equal((await get(taskId))["status"], "working");
  assert.deepEqual(pipe.received("notifications/cancelled"), []);
  pipe.say({ id, result: { content: [{ type: "text", text: "42" }] } });
  const { status, result } = await get(taskId);
  assert.equal(status, "completed");
  const { resultType: inner, content } = result as Json;
  assert.deepEqual([inner, content], ["complete", [{ type: "text", text: "42" }]]);
});

test("a task asks what its legacy server asks, and hands it the answer", async () => {
  const { clock, call, get, reached } = await openTaskGateway();
  const { taskId } = await call("tools/call", { name: "a__job" }).result();
  const { pipe, id } = await reached();
  const params = { message: "Who?", requestedSchema: { type: "object", properties: {} } };
  pipe.say({ id: "q1", method: "elicitation/create", params });
  clock.advance(GATHER_MS);
  const asked = await eventually("the question", async () => {
    const shown = await get(taskId);
    return shown["status"] === "input_required" ? shown : undefined;
  });
  const questions = asked["inputRequests"] as Record<string, Json>;
  const [key = ""] = Object.keys(questions);
  assert.equal(questions[key]?.["method"], "elicitation/create");
  const answer = { action: "accept", content: { name: "Ada" } };
  const update = call("tasks/update", { taskId, inputResponses: { [key]: answer } });
  assert.equal((await update.result())["resultType"], "complete");
  const answered = await eventually(
    "the answer",
    () => Promise.resolve(pipe.lines.find((line) => line.includes('"q1"'))),
  );
  assert.deepEqual((JSON.parse(answered) as Json)["result"], answer);
  pipe.say({ id, result: { content: [] } });
  assert.equal((await get(taskId))["status"], "completed");
});

test("a question before the task is the call's, and its retry becomes the task", async () => {
  const { clock, call, get, reached } = await openTaskGateway();
  const first = call("tools/call", { name: "a__slow" });
  const { pipe, id } = await reached();
  const params = { message: "Who?", requestedSchema: { type: "object", properties: {} } };
  pipe.say({ id: "q1", method: "elicitation/create", params });
  clock.advance(GATHER_MS);
  const asked = await first.result();
  assert.equal(asked["resultType"], "input_required");
  assert.equal("taskId" in asked, false);
  const [key = ""] = Object.keys(asked["inputRequests"] as Json);
  const second = call("tools/call", {
    name: "a__slow",
    requestState: asked["requestState"],
    inputResponses: { [key]: { action: "accept", content: {} } },
  });
  await eventually("the answer", () => Promise.resolve(second.events[0]));
  clock.advance(SLOW_MS);
  const created = await second.result();
  assert.equal(created["resultType"], "task");
  assert.equal("requestState" in created, false);
  pipe.say({ id, result: { content: [] } });
  assert.equal((await get(created["taskId"]))["status"], "completed");
});

test("cancelling a task cancels its call at the server", async () => {
  const { call, get, reached } = await openTaskGateway();
  const { taskId } = await call("tools/call", { name: "a__job" }).result();
  const { pipe, id } = await reached();
  assert.deepEqual(await call("tasks/cancel", { taskId }).result(), { resultType: "complete" });
  assert.equal(pipe.received("notifications/cancelled")[0]?.params?.["requestId"], id);
  assert.equal((await get(taskId))["status"], "cancelled");
});
