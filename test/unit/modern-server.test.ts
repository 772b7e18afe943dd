/** A server of MCP 2026-07-28: one process for everybody, and every request says who asks. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { begin, type ExchangeOptions } from "../support/exchange.ts";
import { type Behaviour, modern, type Pipe, silent } from "../support/pipe.ts";
import { openServer } from "../support/server.ts";
import { settled } from "../support/settled.ts";

const META = "io.modelcontextprotocol/";

/** A modern server that is ready. */
async function ready(
  instead: Readonly<Record<string, Behaviour>> = {},
  capabilities: object = { tools: {} },
) {
  const bench = openServer({
    behave: () => modern(["echo"], instead, capabilities),
    remembered: "modern",
  });
  await bench.server.start();
  const [pipe] = bench.pipes as readonly [Pipe];
  return {
    ...bench,
    pipe,
    call: (options?: ExchangeOptions) => begin(bench.server, options),
    calls: () => pipe.received("tools/call"),
  };
}

test("clients that can do different things share one process, all at once", async () => {
  const { call, calls, pipes } = await ready({ "tools/call": silent });
  for (
    const capabilities of [{}, { elicitation: {} }, { sampling: {}, extensions: { "x/y": {} } }]
  ) {
    call({ capabilities });
  }
  await settled();
  assert.equal(pipes.length, 1);
  assert.deepEqual(
    calls().map(({ params }) =>
      (params?.["_meta"] as Record<string, unknown> | undefined)?.[`${META}clientCapabilities`]
    ),
    [{}, { elicitation: {} }, { sampling: {}, extensions: { "x/y": {} } }],
  );
});

test("a question of the server reaches the caller without the state, which comes beside it", async () => {
  const { call } = await ready({
    "tools/call": ({ id }, pipe) =>
      pipe.say(
        `{"jsonrpc":"2.0","id":${id},"result":{"resultType":"input_required",` +
          '"requestState":"s\\u0031","inputRequests":{ "name" : {"method":"elicitation/create"}}}}',
      ),
  });
  const first = call({ capabilities: { elicitation: {} } });
  await settled();
  assert.equal(first.question().state, "s1");
  assert.equal(
    first.events.at(-1),
    'input {"resultType":"input_required","inputRequests":{ "name" : {"method":"elicitation/create"}}}',
  );
});

test("a retry is the same request with the answers and the state", async () => {
  const { call, calls } = await ready();
  const { events } = call({ input: { state: "s1", responses: { name: { action: "accept" } } } });
  await settled();
  assert.equal(events.length, 2);
  const params = calls()[0]?.params;
  assert.equal(params?.["requestState"], "s1");
  assert.deepEqual(params?.["inputResponses"], { name: { action: "accept" } });
});

test("an error in place of an answer ends the exchange: the server cannot be told", async () => {
  const { call, calls } = await ready();
  const { events } = call({ input: { errors: { name: { code: -1, message: "no" } } } });
  assert.deepEqual(events, ['error {"code":-1,"message":"no"}']);
  assert.deepEqual(calls(), []);
});

test("a cancelled exchange is cancelled under the id that the server knows", async () => {
  const { call, calls, pipe } = await ready({ "tools/call": silent });
  const { withdraw, events } = call();
  withdraw("The client has left");
  const [cancelled] = pipe.received("notifications/cancelled");
  assert.equal(cancelled?.params?.["requestId"], calls()[0]?.id);
  pipe.say({ id: calls()[0]?.id, result: {} });
  assert.deepEqual(events, ["accepted"]);
});

test("results of types that are not known pass as they are, tasks too", async () => {
  const { call } = await ready({
    "tools/call": ({ id }, pipe) =>
      pipe.say(`{"jsonrpc":"2.0","id":${id},"result":{"resultType":"task", "taskId":"1"}}`),
    "tasks/get": ({ id }, pipe) => pipe.say({ id, result: { resultType: "complete" } }),
  });
  const created = call();
  const asked = call({ method: "tasks/get", params: '{"taskId":"1"}' });
  await settled();
  assert.equal(created.events.at(-1), 'result {"resultType":"task", "taskId":"1"}');
  assert.equal(asked.events.at(-1), 'result {"resultType":"complete"}');
});

test("whether a server serves tasks itself is part of its lists", async () => {
  const extensions = { "io.modelcontextprotocol/tasks": {} };
  const { server } = await ready({}, { tools: {}, extensions });
  assert.equal(server.lists?.tasks, true);
});

test("a modern server that asks like an old one gets no response", async () => {
  const { pipe } = await ready();
  const before = pipe.lines.length;
  pipe.say({ id: 1, method: "elicitation/create", params: {} });
  pipe.say({ id: 2, method: "ping" });
  assert.equal(pipe.lines.length, before);
});

test("after a crash the next call meets the server anew", async () => {
  const { call, pipes } = await ready();
  pipes[0]?.end({ code: 1 });
  await settled();
  const { events } = call();
  await settled();
  assert.equal(events.length, 2);
  assert.equal(pipes.length, 2);
});

const LOG = { method: "notifications/message", params: { level: "warning", data: "hot" } };

test("a log message reaches the one exchange that wants messages of its level", async () => {
  const { call, pipe } = await ready({ "tools/call": silent });
  const [none, wanting] = [call(), call({ logLevel: "info" })];
  pipe.say(LOG);
  pipe.say({ ...LOG, params: { level: "debug", data: "noise" } });
  assert.deepEqual(none.events, ["accepted"]);
  assert.deepEqual(wanting.events, [
    "accepted",
    `note ${JSON.stringify({ jsonrpc: "2.0", ...LOG })}`,
  ]);
});

test("a log message that may belong to two exchanges reaches none", async () => {
  const { call, pipe } = await ready({ "tools/call": silent });
  const both = [call({ logLevel: "debug" }), call({ logLevel: "debug" })];
  pipe.say(LOG);
  assert.deepEqual(both.map(({ events }) => events), [["accepted"], ["accepted"]]);
});
