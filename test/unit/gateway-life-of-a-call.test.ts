import assert from "node:assert/strict";
import { test } from "node:test";
import { GatewayError } from "../../src/errors.ts";
import { errorOf, openGateway, openHanging } from "../support/gateway.ts";
import { silent } from "../support/pipe.ts";
import { settled } from "../support/settled.ts";

test("a call is accepted when it was written, and ends with the server's result as it is", async () => {
  const { callTool, pipe } = await openHanging();
  const events = callTool("a__echo");
  await settled();
  assert.deepEqual(events, ["accepted"]);
  pipe.say('{"jsonrpc":"2.0","id":3,"result":{ "content":[], "n":1.0 }}');
  assert.deepEqual(events, ["accepted", 'result { "content":[], "n":1.0 }']);
});

test("an error of the server reaches the caller as it is", async () => {
  const { callTool, pipe } = await openHanging();
  const events = callTool("a__echo");
  await settled();
  pipe.say('{"jsonrpc":"2.0","id":3,"error":{"code":-32050,"message":"no","data":{"n":1.0}}}');
  assert.deepEqual(events.slice(1), ['error {"code":-32050,"message":"no","data":{"n":1.0}}']);
});

test("a modern caller is told what its result is, an older one is not", async () => {
  const { callTool, pipe } = await openHanging();
  const modern = callTool("a__echo", "", { protocolVersion: "2026-07-28" });
  const legacy = callTool("a__echo", "", { protocolVersion: "2025-11-25" });
  await settled();
  for (const id of [3, 4]) pipe.say({ id, result: { content: [] } });
  assert.match(
    modern[1] ?? "",
    /^result \{"resultType":"complete","_meta":\{.*\},"content":\[\]\}$/,
  );
  assert.equal(legacy[1], 'result {"content":[]}');
});

test("progress comes under the caller's own token, and to its call alone", async () => {
  const { callTool, pipe, received } = await openHanging();
  const meta = (token: string): string => `,"_meta":{"progressToken":${token}}`;
  const [one, two, none] = [
    callTool("a__echo", meta('"same"')),
    callTool("a__echo", meta('"same"')),
    callTool("a__echo"),
  ];
  await settled();
  assert.match(received()[0] ?? "", /"_meta":\{"progressToken":3\}/);
  for (const token of [4, 5, "same"]) {
    pipe.say({ method: "notifications/progress", params: { progressToken: token, progress: 1 } });
  }
  assert.deepEqual(one, ["accepted"]);
  assert.deepEqual(two.slice(1), [
    'note {"jsonrpc":"2.0","method":"notifications/progress",' +
    '"params":{"progressToken":"same","progress":1}}',
  ]);
  assert.deepEqual(none, ["accepted"]);
});

test("a call that is sent twice runs once, and ends once", async () => {
  const { callTool, received, pipe } = await openHanging();
  const first = callTool("a__echo", "", { id: "same" });
  const early = callTool("a__echo", "", { id: "same" });
  await settled();
  const late = callTool("a__echo", "", { id: "same" });
  await settled();
  assert.equal(received().length, 1);
  pipe.say({ id: 3, result: {} });
  assert.deepEqual([first, early, late], [["accepted", "result {}"], [], []]);
});

test("calls that come while the server starts run when it has", async () => {
  let launch: () => void = () => {};
  const gate = new Promise<void>((resolve) => launch = resolve);
  const { callTool, servers } = openGateway({ a: { launched: () => gate } });
  const calls = [callTool("a__echo"), callTool("a__echo")];
  await settled();
  assert.deepEqual(calls, [[], []]);
  launch();
  await settled();
  const took = servers["a"]?.pipes.map((pipe) => pipe.received("tools/call").length);
  assert.equal(took?.filter((count) => count > 0).length, 1);
  for (const events of calls) assert.equal(events.length, 2);
});

test("a server that fails fails its own calls only", async () => {
  const { callTool } = openGateway({
    a: { behave: () => (_, pipe) => pipe.end({ code: 3 }) },
    b: {},
    c: { behave: () => silent },
  });
  const calls = [callTool("a__echo"), callTool("b__echo"), callTool("c__echo")];
  await settled();
  const { code, message, data } = errorOf(calls[0] ?? []);
  assert.equal(code, 1003);
  assert.equal(message, 'Cannot start server "a": it exited with code 3');
  assert.deepEqual(data, { code: "server_failed", executed: "no", retryable: true });
  assert.equal(calls[1]?.length, 2);
  assert.deepEqual(calls[2], []);
});

test("a crash ends the calls in flight, which may have run; the next one is served", async () => {
  const { callTool, pipe, servers } = await openHanging();
  const before = servers["a"]?.pipes.length ?? 0;
  const [one, two] = [callTool("a__echo"), callTool("a__echo")];
  await settled();
  pipe.end({ code: 7 });
  await settled();
  for (const events of [one, two]) {
    assert.equal(events.length, 2);
    assert.equal(
      errorOf(events).message,
      'Server "a" ended during the call: it exited with code 7',
    );
    assert.equal(errorOf(events).data.executed, "unknown");
  }
  const next = callTool("a__echo");
  await settled();
  assert.deepEqual(next, ["accepted"]);
  assert.equal(servers["a"]?.pipes.length, before + 1);
});

test("a call that meets a process on its way out is served by the next one", async () => {
  const { callTool, pipe, servers } = await openHanging();
  const before = servers["a"]?.pipes.length ?? 0;
  // The container has ended, and the engine has not said so yet.
  pipe.broken = new GatewayError("server_failed", "Cannot write: its container has ended");
  const events = callTool("a__echo");
  await settled();
  assert.deepEqual(events, []);
  pipe.end({ code: 1 });
  await settled();
  assert.deepEqual(events, ["accepted"]);
  assert.equal(servers["a"]?.pipes.length, before + 1);
  assert.equal(servers["a"]?.pipes.at(-1)?.received("tools/call").length, 1);
});

test("a call that a server cannot take for now fails at once, and has not run", async () => {
  const { callTool, pipe } = await openHanging();
  pipe.broken = new GatewayError("overloaded", "Cannot write: it does not read its input");
  const events = callTool("a__echo");
  await settled();
  assert.equal(errorOf(events).data.code, "overloaded");
  assert.equal(errorOf(events).data.executed, "no");
  assert.equal(events.length, 1);
});

test("a failure inside of the runner says nothing of it to the caller, and all to the operator", async () => {
  const bench = openGateway({
    a: { launched: () => Promise.reject(new TypeError("secret path")) },
  });
  const events = bench.callTool("a__echo");
  await settled();
  assert.doesNotMatch(JSON.stringify(events), /secret path/);
  assert.equal(errorOf(events).data.code, "internal");
  assert.match(JSON.stringify(bench.log), /secret path/);
});
