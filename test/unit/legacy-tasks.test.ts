/** Tools that a server of MCP 2025-11-25 only runs as tasks are called like any other. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { begin } from "../support/exchange.ts";
import { type Behaviour, type Pipe, silent, wellBehaved } from "../support/pipe.ts";
import { openServer } from "../support/server.ts";
import { settled } from "../support/settled.ts";

const TASKS = { tools: {}, tasks: { requests: { tools: { call: {} } } } };
const SLOW = {
  name: "slow",
  inputSchema: { type: "object" },
  execution: { taskSupport: "required" },
};
const RELATED = { "io.modelcontextprotocol/related-task": { taskId: "t1" } };

/** A ready server whose tool "slow" makes a task, which a test finishes. */
async function ready(capabilities: object = TASKS) {
  const initialize: Behaviour = ({ id }, pipe) =>
    pipe.say({ id, result: { protocolVersion: "2025-11-25", capabilities } });
  const bench = openServer({
    behave: () =>
      wellBehaved([], {
        initialize,
        "tools/list": ({ id }, pipe) => pipe.say({ id, result: { tools: [SLOW] } }),
        "tools/call": ({ id }, pipe) =>
          pipe.say({ id, result: { task: { taskId: "t1", status: "working" } } }),
        "tasks/result": silent,
      }),
  });
  await bench.server.start();
  const [pipe] = bench.pipes as readonly [Pipe];
  const params = '{"name":"slow","_meta":{"progressToken":"p"}}';
  return { ...bench, pipe, call: () => begin(bench.server, { params }) };
}

test("the runner makes the task and waits for its result", async () => {
  const { call, pipe } = await ready();
  const { events } = call();
  await settled();
  const [called] = pipe.received("tools/call");
  assert.match(JSON.stringify(called?.params?.["task"]), /^\{"ttl":\d+\}$/);
  const [waiting] = pipe.received("tasks/result");
  assert.deepEqual(waiting?.params, { taskId: "t1" });
  pipe.say({
    method: "notifications/progress",
    params: { progressToken: called?.id, progress: 1 },
  });
  pipe.say({ id: waiting?.id, result: { content: [], _meta: RELATED } });
  pipe.say({
    method: "notifications/progress",
    params: { progressToken: called?.id, progress: 2 },
  });
  assert.deepEqual(events, [
    "accepted",
    'note {"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"p","progress":1}}',
    'result {"content":[]}',
  ]);
});

test("a caller that leaves cancels the task", async () => {
  const { call, pipe } = await ready();
  const { withdraw } = call();
  await settled();
  withdraw("The client has left");
  assert.deepEqual(pipe.received("tasks/cancel")[0]?.params, { taskId: "t1" });
});

test("clients see such a tool as one like all others", async () => {
  const { server } = await ready();
  const { execution: _, ...shown } = SLOW;
  assert.deepEqual(server.lists?.tools.map(({ raw }) => JSON.parse(raw) as unknown), [shown]);
});

test("a server that declares no tasks is called without", async () => {
  const { call, pipe } = await ready({ tools: {} });
  call();
  await settled();
  assert.equal(pipe.received("tools/call")[0]?.params?.["task"], undefined);
});
