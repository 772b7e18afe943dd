import assert from "node:assert/strict";
import { after, test } from "node:test";
import { TASK_DEADLINE_MS } from "../../runner/task/task.ts";
import { GatewayError, toGatewayError } from "../../src/errors.ts";
import { type Member, scan } from "../../src/mcp/scan.ts";
import { MAX_PAYLOAD_LENGTH } from "../../src/tunnel/frame.ts";
import { ada, EXTENSION, openTasks, plain, removeTaskFolders } from "../support/tasks.ts";

after(removeTaskFolders);

const ACKNOWLEDGED = '{"resultType":"complete"}';

test("a task shows that it works, and since when", async () => {
  const { newTask, request } = await openTasks();
  const { taskId } = await newTask();
  assert.equal(
    await request("tasks/get", { taskId }),
    `{"resultType":"complete","taskId":"${taskId}","status":"working",` +
      '"createdAt":"2027-01-15T08:00:00.000Z","lastUpdatedAt":"2027-01-15T08:00:00.000Z",' +
      '"ttlMs":86400000,"pollIntervalMs":1000}',
  );
});

test("a completed task holds its result byte for byte, and says when it came", async () => {
  const { newTask, request, clock } = await openTasks();
  const { taskId, exchange } = await newTask();
  clock.advance(2_000);
  exchange.result('{ "content" : [], "n": 1.0e3,\n "u": "\\u00e4ä" }');
  const text = await request("tasks/get", { taskId });
  assert.ok(
    text.endsWith(
      ',"result":{"resultType":"complete", "content" : [], "n": 1.0e3,\n "u": "\\u00e4ä" }}',
    ),
  );
  assert.match(text, /"status":"completed".*"lastUpdatedAt":"2027-01-15T08:00:02.000Z"/);
  assert.equal(await request("tasks/get", { taskId }), text);
});

test("a tool that reports an error has completed its task", async () => {
  const { newTask, get } = await openTasks();
  const { taskId, exchange } = await newTask();
  exchange.result('{"content":[],"isError":true}');
  const { status, result, error } = await get(taskId);
  assert.equal(status, "completed");
  assert.equal(result?.["isError"], true);
  assert.equal(error, undefined);
});

test("a JSON-RPC error has failed its task, and is in it as the server sent it", async () => {
  const { newTask, get, request } = await openTasks();
  const { taskId, exchange } = await newTask();
  exchange.listener.error('{"code":-32000, "message":"Out of paper"}');
  const { status, statusMessage, result } = await get(taskId);
  assert.deepEqual([status, statusMessage, result], ["failed", "Out of paper", undefined]);
  assert.match(
    await request("tasks/get", { taskId }),
    /,"error":\{"code":-32000, "message":"Out of paper"\}\}$/,
  );
});

test("a server's long error message is cut, and one that is no text is left out", async () => {
  const { newTask, get } = await openTasks();
  const long = await newTask();
  long.exchange.listener.error(JSON.stringify({ code: 1, message: "m".repeat(10_000) }));
  assert.equal((await get(long.taskId)).statusMessage?.length, 500);
  const odd = await newTask();
  odd.exchange.listener.error('{"code":1,"message":{}}');
  assert.equal((await get(odd.taskId)).statusMessage, undefined);
});

test("a task whose server crashes has failed, and says that the tool may have run", async () => {
  const { newTask, get } = await openTasks();
  const { taskId, exchange } = await newTask();
  exchange.listener.failed(new GatewayError("server_crashed", "The server ended"));
  const { status, error } = await get(taskId);
  assert.equal(status, "failed");
  assert.deepEqual(error?.data, {
    code: "server_crashed",
    executed: "unknown",
    retryable: false,
  });
});

test("a result that names its task as MCP 2025-11-25 does loses the name and nothing else", async () => {
  const { newTask, get } = await openTasks();
  const related = '"io.modelcontextprotocol\\/related-task":{"taskId":"x"}';
  const first = await newTask();
  first.exchange.result(`{"_meta":{"a":1,${related}},"content":[]}`);
  assert.deepEqual((await get(first.taskId)).result, {
    resultType: "complete",
    _meta: { a: 1 },
    content: [],
  });
  const second = await newTask();
  second.exchange.result(`{"content":[],"_meta":{${related}}}`);
  assert.deepEqual((await get(second.taskId)).result, { resultType: "complete", content: [] });
});

test("a result or a question that fits no frame fails its task", async () => {
  const { newTask, get } = await openTasks();
  const { taskId, exchange } = await newTask();
  exchange.result(`{"text":"${"x".repeat(MAX_PAYLOAD_LENGTH - 1_000)}"}`);
  const asking = await newTask();
  asking.exchange.ask(`{"q":{"text":"${"x".repeat(MAX_PAYLOAD_LENGTH - 1_000)}"}}`);
  for (const id of [taskId, asking.taskId]) {
    const { status, error } = await get(id);
    assert.equal(status, "failed");
    assert.equal(error?.data?.["code"], "result_too_large");
  }
});

test("a cancelled task is cancelled at its server, and stays so whatever that says", async () => {
  const { newTask, request, get } = await openTasks();
  const { taskId, exchange } = await newTask();
  assert.equal(await request("tasks/cancel", { taskId }), ACKNOWLEDGED);
  assert.deepEqual(exchange.withdrawn, ["Cancelled by the client"]);
  exchange.result('{"content":[]}');
  exchange.ask('{"q":{"method":"roots/list"}}');
  exchange.listener.error('{"code":1,"message":"m"}');
  const { status, result, error, inputRequests } = await get(taskId);
  assert.deepEqual([status, result, error, inputRequests], [
    "cancelled",
    undefined,
    undefined,
    undefined,
  ]);
});

test("cancelling a task that has ended is acknowledged and changes nothing", async () => {
  const { newTask, request } = await openTasks();
  const { taskId, exchange } = await newTask();
  exchange.result('{"content":[]}');
  const before = await request("tasks/get", { taskId });
  assert.equal(await request("tasks/cancel", { taskId }), ACKNOWLEDGED);
  assert.equal(await request("tasks/cancel", { taskId }), ACKNOWLEDGED);
  assert.equal(await request("tasks/get", { taskId }), before);
  assert.deepEqual(exchange.withdrawn, []);
});

test("the task of somebody else does not exist, in the same words as one that never was", async () => {
  const { newTask, request } = await openTasks();
  const { taskId, exchange } = await newTask();
  const eve = { ...ada, client: "eve" };
  for (const method of ["tasks/get", "tasks/update", "tasks/cancel"]) {
    const ask = (id: string) => request(method, { taskId: id, inputResponses: {} }, eve);
    const refused = await ask(taskId);
    assert.match(refused, /"invalid_params","code":-32602/);
    assert.equal(await ask(`r1.task_${"0".repeat(32)}`), refused);
    assert.equal(await ask(taskId.replace("r1.", "r2.")), refused);
    assert.equal(await ask("tasks-conformance-nonexistent-12345"), refused);
    assert.equal(await ask("../../credentials"), refused);
  }
  assert.deepEqual(exchange.withdrawn, []);
});

test("who does not declare the extension is told so, whatever the id", async () => {
  const { newTask, request } = await openTasks();
  const { taskId } = await newTask();
  for (const method of ["tasks/get", "tasks/update", "tasks/cancel"]) {
    for (const id of [taskId, "gate-test"]) {
      const refused = await request(method, { taskId: id, inputResponses: {} }, plain);
      const { code, data } = JSON.parse(refused) as {
        readonly code: number;
        readonly data: Record<string, unknown>;
      };
      assert.equal(code, -32021);
      assert.deepEqual(data["requiredCapabilities"], { extensions: { [EXTENSION]: {} } });
    }
  }
});

for (const value of [null, true, "yes"]) {
  test(`an extension declared as ${JSON.stringify(value)} is not declared`, async () => {
    const { request } = await openTasks();
    const caller = { ...ada, capabilities: { extensions: { [EXTENSION]: value } } };
    assert.match(await request("tasks/get", { taskId: "x" }, caller), /-32021/);
  });
}

for (const method of ["tasks/list", "tasks/result", "tasks/get/", "__proto__"]) {
  test(`${method} is no method`, async () => {
    const { newTask, request } = await openTasks();
    const { taskId } = await newTask();
    assert.match(await request(method, { taskId }), /"unknown_method","code":-32601/);
  });
}

const malformed: [why: string, method: string, params: (taskId: string) => unknown][] = [
  ["a tasks/get without an id", "tasks/get", () => ({})],
  ["an id that is no text", "tasks/cancel", () => ({ taskId: 1 })],
  ["a tasks/update without answers", "tasks/update", (taskId) => ({ taskId })],
  ["answers in a list", "tasks/update", (taskId) => ({ taskId, inputResponses: [] })],
  [
    "an answer that is no object",
    "tasks/update",
    (taskId) => ({ taskId, inputResponses: { q: 1 } }),
  ],
];
for (const [why, method, params] of malformed) {
  test(`${why} is refused`, async () => {
    const { newTask, request } = await openTasks();
    const { taskId, exchange } = await newTask();
    exchange.ask('{"q":{"method":"roots/list"}}');
    assert.match(await request(method, params(taskId)), /"invalid_params","code":-32602/);
  });
}

test("malformed answers are refused for a task that has ended too", async () => {
  const { newTask, request } = await openTasks();
  const { taskId, exchange } = await newTask();
  exchange.result("{}");
  await request("tasks/get", { taskId });
  assert.match(await request("tasks/update", { taskId, inputResponses: [] }), /-32602/);
});

test("a task that does not end in hours has failed, and its server is told", async () => {
  const { newTask, get, clock } = await openTasks();
  const { taskId, exchange } = await newTask();
  clock.advance(TASK_DEADLINE_MS - 1);
  assert.equal((await get(taskId)).status, "working");
  clock.advance(1);
  const { status, error } = await get(taskId);
  assert.equal(status, "failed");
  assert.equal(error?.data?.["code"], "call_timeout");
  assert.deepEqual(exchange.withdrawn, ["Deadline"]);
});

test("a keeper knows its own ids from those that servers give", async () => {
  const { newTask, tasks } = await openTasks();
  const { taskId } = await newTask();
  assert.equal(tasks.owns(taskId), true);
  assert.equal(tasks.owns(`r1.task_${"0".repeat(32)}`), true);
  for (const other of ["r1.s-abc", taskId.replace("r1.", "r2."), taskId.slice(3), `${taskId}0`]) {
    assert.equal(tasks.owns(other), false);
  }
});

/** A member of a result, wherever it stands. */
const ANY = scan('{"a":1}', { keep: 1, maxDepth: 1 }).members.get("a") as Member;

test("what a server says that nobody can read fails its task, and no other", async () => {
  const { newTask, get } = await openTasks();
  const broken = await newTask();
  const sound = await newTask();
  broken.exchange.listener.inputRequired('{"inputRequests":{"a":{},"a":{}}}', undefined);
  const deep = await newTask();
  deep.exchange.listener.result(`{"_meta":${"[".repeat(1_000)}`, new Map([["_meta", ANY]]));
  for (const { taskId } of [broken, deep]) {
    const { error } = await get(taskId);
    assert.equal(error?.code, 1003);
    assert.equal(error?.data?.["code"], "server_failed");
  }
  assert.equal((await get(sound.taskId)).status, "working");
});

test("a fault of the runner fails the task without its details, which its log has", async () => {
  const { newTask, get, log } = await openTasks();
  const { taskId, exchange } = await newTask();
  exchange.listener.failed(toGatewayError(new TypeError("secret detail")));
  const { statusMessage, error } = await get(taskId);
  assert.equal(error?.code, -32603);
  assert.doesNotMatch(statusMessage ?? "", /secret/);
  assert.deepEqual(log, ["error A task failed inside the runner"]);
});

test("a task that has failed tells a client no more than a call would", async () => {
  const { newTask, request } = await openTasks();
  const { taskId, exchange } = await newTask();
  exchange.listener.failed(
    new GatewayError("server_crashed", "It ended: it writes to /srv/ledger", { brief: "It ended" }),
  );
  const text = await request("tasks/get", { taskId });
  assert.match(text, /"statusMessage":"It ended"/);
  assert.doesNotMatch(text, /ledger/);
});
