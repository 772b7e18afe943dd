/**
 * What the call log says of each request that reaches the gateway: one event, however it ends.
 *
 * @module
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { GatewayError } from "../../src/errors.ts";
import type { CallEvent, JournalEvent, RefusalEvent } from "../../runner/journal/event.ts";
import { settled } from "../support/settled.ts";
import { type GatewayBench, openGateway, openHanging, pipeOf } from "../support/gateway.ts";
import { modern, silent, wellBehaved } from "../support/pipe.ts";

function only({ journal }: Pick<GatewayBench, "journal">): JournalEvent {
  assert.equal(journal.length, 1, JSON.stringify(journal));
  const [event] = journal;
  assert.ok(event);
  return event;
}

function onlyCall(bench: Pick<GatewayBench, "journal">): CallEvent {
  const event = only(bench);
  assert.ok(event.type === "call", JSON.stringify(event));
  return event;
}

function onlyRefusal(bench: Pick<GatewayBench, "journal">): RefusalEvent {
  const event = only(bench);
  assert.ok(event.type === "refusal", JSON.stringify(event));
  return event;
}

test("a call that went well says who, what, how long, and the shape of its arguments", async () => {
  const bench = await openHanging();
  bench.callTool("a__echo", ',"arguments":{"path":"/etc/x","ids":[1,2]}', { id: "call-7" });
  await settled();
  bench.clock.advance(12);
  bench.pipe.say({ id: 3, result: { content: [] } });
  const { trace, ...event } = onlyCall(bench);
  assert.deepEqual(event, {
    type: "call",
    call: "call-7",
    client: "test",
    method: "tools/call",
    server: "a",
    tool: "echo",
    outcome: "ok",
    executed: "yes",
    ms: { queue: 0, start: 0, server: 12, total: 12 },
    size: '{"content":[]}'.length,
    args: { path: "string(6)", ids: "array(2)" },
  });
  assert.match(trace ?? "", /^[0-9a-f]{32}$/);
});

test("the trace of the log is the one that the server got, and the one that the caller gave", async () => {
  const bench = await openHanging();
  const id = "4bf92f3577b34da6a3ce929d0e0e4736";
  bench.callTool("a__echo", `,"_meta":{"traceparent":"00-${id}-00f067aa0ba902b7-01"}`);
  bench.callTool("a__echo");
  await settled();
  for (const at of [3, 4]) bench.pipe.say({ id: at, result: {} });
  const traces = bench.received({ traces: true }).map((line) =>
    /"traceparent":"00-([0-9a-f]{32})-/.exec(line)?.[1]
  );
  assert.equal(traces[0], id);
  assert.deepEqual(bench.journal.map((event) => event.type === "call" && event.trace), traces);
});

type Ends = (bench: Awaited<ReturnType<typeof openHanging>>) => void;
const ends: Array<[how: string, end: Ends, expected: Partial<CallEvent>]> = [
  [
    "is answered",
    ({ pipe }) => pipe.say({ id: 3, result: {} }),
    { outcome: "ok", executed: "yes", size: 2 },
  ],
  [
    "is answered with isError",
    ({ pipe }) => pipe.say('{"id":3,"jsonrpc":"2.0","result":{"isError":true,"content":[]}}'),
    { outcome: "tool_error", executed: "yes" },
  ],
  [
    "is answered with isError that is not true",
    ({ pipe }) => pipe.say({ id: 3, result: { content: [], isError: null } }),
    { outcome: "ok", executed: "yes" },
  ],
  [
    "gets an error of its server",
    ({ pipe }) => pipe.say({ id: 3, error: { code: 1, message: "password is x" } }),
    { outcome: "error", executed: "unknown", message: undefined, code: undefined },
  ],
  [
    "loses its server",
    ({ pipe }) => pipe.end({ code: 1 }),
    { outcome: "failed", executed: "unknown", code: "server_crashed" },
  ],
  [
    "is cancelled",
    ({ gateway }) => gateway.cancel("x", "The client has left"),
    { outcome: "cancelled", executed: "unknown", message: "The client has left" },
  ],
  [
    "loses its tunnel",
    ({ gateway }) => gateway.cancelAll("The tunnel is gone"),
    { outcome: "cancelled", executed: "unknown", message: "The tunnel is gone" },
  ],
  [
    "reaches its deadline",
    ({ clock }) => clock.advance(5_000),
    { outcome: "failed", executed: "unknown", code: "call_timeout" },
  ],
  [
    "is in flight when the runner stops",
    ({ gateway }) => void gateway.stop(),
    { outcome: "cancelled", executed: "unknown", message: "The runner is stopping" },
  ],
];

for (const [how, end, expected] of ends) {
  test(`a call that ${how} is written once`, async () => {
    const bench = await openHanging();
    bench.callTool("a__echo", "", { id: "x", deadlineMs: 5_000 });
    await settled();
    assert.equal(bench.journal.length, 0);
    end(bench);
    await settled();
    // Whatever comes after its end changes nothing.
    bench.pipe.say({ id: 3, result: {} });
    bench.gateway.cancel("x", "late");
    bench.clock.advance(10_000);
    await settled();
    const event = onlyCall(bench);
    for (const [member, value] of Object.entries(expected)) {
      assert.deepEqual(event[member as keyof CallEvent], value, member);
    }
  });
}

test("a call that is sent twice is written once", async () => {
  const bench = await openHanging();
  for (let times = 0; times < 3; times++) bench.callTool("a__echo", "", { id: "same" });
  await settled();
  bench.pipe.say({ id: 3, result: {} });
  onlyCall(bench);
});

test("a call that is cancelled before its server has started did not run", async () => {
  const bench = openGateway({ a: { launched: () => new Promise(() => {}) } });
  bench.callTool("a__echo", "", { id: "x" });
  await settled();
  bench.gateway.cancel("x", "gone");
  const { outcome, executed, ms, tool } = onlyCall(bench);
  assert.deepEqual([outcome, executed, ms.server, tool], ["cancelled", "no", 0, "a__echo"]);
});

test("a server that cannot be started fails the call, and refuses nothing", async () => {
  const broken = new GatewayError("image_missing", "Cannot find its image");
  const bench = openGateway({ a: { launched: () => Promise.reject(broken) } });
  bench.callTool("a__echo");
  await settled();
  const { outcome, executed, code } = onlyCall(bench);
  assert.deepEqual([outcome, executed, code], ["failed", "no", "image_missing"]);
});

const refusals: Array<[why: string, params: string, expected: Partial<RefusalEvent>]> = [
  [
    "a denied tool",
    '{"name":"a__secret"}',
    { code: "unknown_tool", tool: "a__secret", server: "a", denied: true },
  ],
  [
    "an unknown tool",
    '{"name":"a__nosuch"}',
    { code: "unknown_tool", tool: "a__nosuch", server: undefined, denied: undefined },
  ],
  ["a name that is missing", "{}", { code: "invalid_params", tool: undefined }],
  ["params that are no JSON", "{", { code: "malformed_json" }],
  ["a state that is none", '{"name":"a__echo","requestState":"x"}', {
    code: "state_invalid",
    tool: "echo",
  }],
];

for (const [why, params, expected] of refusals) {
  test(`${why} is a refusal, and written once`, async () => {
    const bench = openGateway();
    await bench.gateway.start();
    const events = bench.call({ params });
    await settled();
    assert.equal(events.length, 1);
    const event = onlyRefusal(bench);
    for (const [member, value] of Object.entries(expected)) {
      assert.deepEqual(event[member as keyof RefusalEvent], value, member);
    }
    assert.equal(bench.received().length, 0);
  });
}

test("callers hear the same of a denied tool and of one that does not exist", async () => {
  const bench = openGateway();
  await bench.gateway.start();
  const [denied, unknown] = [bench.callTool("a__secret"), bench.callTool("a__nosuch")];
  await settled();
  assert.deepEqual(
    denied.map((event) => event.replaceAll("secret", "nosuch")),
    unknown,
  );
});

test("an unknown method is a refusal, and a ping is nothing", async () => {
  const bench = openGateway();
  bench.call({ method: "ping" });
  bench.call({ method: "tools/nosuch" });
  await settled();
  const { code, method } = onlyRefusal(bench);
  assert.deepEqual([code, method], ["unknown_method", "tools/nosuch"]);
});

test("calls above what the runner takes are refusals", async () => {
  const bench = await openHanging();
  for (let calls = 0; calls < 257; calls++) bench.callTool("a__echo");
  await settled();
  assert.equal(onlyRefusal(bench).code, "overloaded");
});

test("a header that says another thing than the body is a refusal", async () => {
  const inputSchema = {
    type: "object",
    properties: { n: { type: "string", "x-mcp-header": "N" } },
  };
  const tools = [{ name: "echo", inputSchema }];
  const behave = () =>
    wellBehaved(["echo"], {
      "tools/list": ({ id }, pipe) => pipe.say({ id, result: { tools } }),
    });
  const bench = openGateway({ a: { behave } });
  await bench.gateway.start();
  bench.callTool("a__echo", ',"arguments":{"n":"a"}', {
    protocolVersion: "2026-07-28",
    paramHeaders: { n: "b" },
  });
  await settled();
  const { code, tool, args } = onlyRefusal(bench);
  assert.deepEqual([code, tool, args], ["header_mismatch", "echo", { n: "string(1)" }]);
});

test("a question of the server ends the call as input_required", async () => {
  const question = {
    resultType: "input_required",
    inputRequests: { a: { method: "roots/list", params: {} } },
  };
  const behave = () =>
    modern(["echo"], { "tools/call": ({ id }, pipe) => pipe.say({ id, result: question }) });
  const bench = openGateway({ a: { behave, remembered: "modern" } });
  await bench.gateway.start();
  bench.callTool("a__echo", "", {
    protocolVersion: "2026-07-28",
    clientCapabilities: { roots: {} },
  });
  await settled();
  const { outcome, executed, message } = onlyCall(bench);
  assert.equal(message, undefined);
  assert.deepEqual([outcome, executed], ["input_required", "unknown"]);
});

test("a subscription is one event, at its end", async () => {
  const bench = openGateway();
  const params = '{"notifications":{"resourceSubscriptions":[]}}';
  bench.call({ method: "subscriptions/listen", params, id: "ends" });
  bench.call({ method: "subscriptions/listen", params, id: "left" });
  await settled();
  assert.equal(bench.journal.length, 0);
  bench.gateway.cancel("left", "The client has left");
  await bench.gateway.idle(10);
  assert.deepEqual(
    bench.journal.map((event) => event.type === "call" && [event.call, event.outcome]),
    [["left", "cancelled"], ["ends", "ok"]],
  );
});

test("an error inside the gateway is written as what the caller hears, without its cause", async () => {
  const bench = openGateway({ a: { behave: () => silentAfterStart() } });
  await bench.gateway.start();
  pipeOf(bench).broken = undefined;
  Object.defineProperty(bench.servers["a"]?.server, "exchange", {
    value: () => {
      throw new Error("a secret of the inside");
    },
  });
  bench.callTool("a__echo");
  await settled();
  const { outcome, code, message, executed } = onlyCall(bench);
  assert.deepEqual([outcome, code, executed], ["failed", "internal", "unknown"]);
  assert.doesNotMatch(message ?? "", /secret/);
});

function silentAfterStart() {
  return wellBehaved(["echo"], { "tools/call": silent });
}
