import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ACCEPTED_AFTER_MS } from "../../runner/tunnel/connection.ts";
import { VERSION } from "../../src/version.ts";
import { openConnection } from "../support/connection.ts";
import { callHeader } from "../support/fake-wire.ts";
import { errorOf, pipeOf } from "../support/gateway.ts";
import { hanging } from "../support/pipe.ts";
import { settled } from "../support/settled.ts";

/** What a modern caller is told of who answers, when the server does not say so itself. */
const NAMED = `"_meta":${
  JSON.stringify({
    "io.modelcontextprotocol/serverInfo": { name: "mcp-runner", version: VERSION },
  })
}`;

/** A welcomed connection in front of a server that leaves calls to the test. */
async function welcomed(maxPayload = 10 * 1024 * 1024) {
  const bench = await openConnection({ a: { behave: hanging } });
  bench.welcome({ maxPayload });
  const answers = () => bench.wire.frames().slice(1);
  return { ...bench, pipe: pipeOf(bench), answers };
}

/** The JSON-RPC error of the last frame. */
function lastError(answers: readonly { readonly payload: string }[]) {
  return errorOf([`error ${answers.at(-1)?.payload}`]);
}

test("a call is accepted before its first note, and the result ends it, each under its id", async () => {
  const { wire, pipe, answers } = await welcomed();
  wire.say(callHeader("x"), '{"name":"a__echo","_meta":{"progressToken":"t"}}');
  await settled();
  pipe.say({ method: "notifications/progress", params: { progressToken: 3, progress: 1 } });
  pipe.say({ id: 3, result: { content: [] } });
  assert.deepEqual(answers().map(({ header, payload }) => [header, payload]), [
    [{ type: "accepted", id: "x" }, ""],
    [
      { type: "note", id: "x" },
      '{"jsonrpc":"2.0","method":"notifications/progress",' +
      '"params":{"progressToken":"t","progress":1}}',
    ],
    [{ type: "result", id: "x" }, `{"resultType":"complete",${NAMED},"content":[]}`],
  ]);
});

test("params and results travel byte for byte", async () => {
  const value = fc.jsonValue().map((json) => JSON.stringify(json));
  await fc.assert(
    fc.asyncProperty(value, value, async (args, answer) => {
      const { wire, pipe, answers, received } = await welcomed();
      wire.say(callHeader("x"), `{"name":"a__echo","arguments":${args}}`);
      await settled();
      assert.ok(received()[0]?.endsWith(`"params":{"name":"echo","arguments":${args}}}`));
      pipe.say(`{"jsonrpc":"2.0","id":3,"result":{"structuredContent":${answer}}}`);
      assert.equal(
        answers().at(-1)?.payload,
        `{"resultType":"complete",${NAMED},"structuredContent":${answer}}`,
      );
    }),
    { numRuns: 30 },
  );
});

test("a denied tool is answered like one that does not exist, and reaches no server", async () => {
  const { wire, answers, received } = await openConnection().then((bench) => {
    bench.welcome();
    return { ...bench, answers: () => bench.wire.frames().slice(1) };
  });
  wire.say(callHeader("x"), '{"name":"a__secret"}');
  wire.say(callHeader("y"), '{"name":"a__nosuch"}');
  await settled();
  const [denied, unknown] = answers();
  assert.equal(
    denied?.payload.replace("a__secret", "a__nosuch"),
    unknown?.payload,
  );
  assert.deepEqual([denied?.header.type, unknown?.header.type], ["error", "error"]);
  assert.deepEqual(received(), []);
});

test("a cancel of the worker is passed to the server, and nothing more is said of the call", async () => {
  const { wire, pipe, answers, received, clock } = await welcomed();
  wire.say(callHeader("x"), '{"name":"a__echo"}');
  await settled();
  wire.say({ type: "cancel", id: "x", reason: "The client has left" });
  wire.say({ type: "cancel", id: "never", reason: "" });
  pipe.say({ id: 3, result: {} });
  assert.match(received()[1] ?? "", /notifications\/cancelled.*The client has left/);
  clock.advance(ACCEPTED_AFTER_MS);
  assert.deepEqual(answers(), []);
});

test("a call that takes its time is said to be accepted, once", async () => {
  const { wire, pipe, answers, clock } = await welcomed();
  wire.say(callHeader("x"), '{"name":"a__echo"}');
  await settled();
  clock.advance(ACCEPTED_AFTER_MS - 1);
  assert.deepEqual(answers(), []);
  clock.advance(1);
  assert.deepEqual(answers(), [{ header: { type: "accepted", id: "x" }, payload: "" }]);
  pipe.say({ id: 3, result: {} });
  clock.advance(ACCEPTED_AFTER_MS);
  assert.deepEqual(answers().map(({ header }) => header.type), ["accepted", "result"]);
});

test("the end of the connection cancels its calls", async () => {
  const { wire, ended, received, gateway } = await welcomed();
  for (const id of ["x", "y"]) wire.say(callHeader(id), '{"name":"a__echo"}');
  await settled();
  wire.events.closed(1006, "");
  assert.deepEqual(ended, [1006]);
  assert.equal(received().filter((line) => /cancelled.*The tunnel was lost/.test(line)).length, 2);
  assert.equal(gateway.inFlight, 0);
});

test("a result beyond the worker's limit becomes an error that says so; the tunnel stays", async () => {
  const { wire, pipe, answers } = await welcomed(1_000);
  wire.say(callHeader("x", { protocolVersion: "2025-11-25" }), '{"name":"a__echo"}');
  await settled();
  pipe.say({ id: 3, result: { text: "x".repeat(2_000) } });
  assert.equal(answers().at(-1)?.header.type, "error");
  const { data, message } = lastError(answers());
  assert.deepEqual([data.code, data.executed], ["result_too_large", "yes"]);
  assert.match(message, /^The tool ran, but its result has 2011 characters and the limit is 1000$/);
  assert.equal(wire.closedWith, undefined);
});

test("a result of exactly the limit is passed on", async () => {
  const { wire, pipe, answers } = await welcomed(1_000);
  wire.say(callHeader("x", { protocolVersion: "2025-11-25" }), '{"name":"a__echo"}');
  await settled();
  pipe.say({ id: 3, result: { text: "x".repeat(1_000 - '{"text":""}'.length) } });
  assert.equal(answers().at(-1)?.header.type, "result");
});

test("an error beyond the limit is replaced: a worker would end the tunnel of all over it", async () => {
  const { wire, pipe, answers } = await welcomed(1_000);
  wire.say(callHeader("x"), '{"name":"a__echo"}');
  await settled();
  pipe.say({ id: 3, error: { code: 1, message: "x".repeat(2_000) } });
  assert.equal(lastError(answers()).data.code, "result_too_large");
  assert.ok((answers().at(-1)?.payload.length ?? 0) <= 1_000);
});

test("progress beyond the limit is left out, and the call goes on", async () => {
  const { wire, pipe, answers } = await welcomed(1_000);
  wire.say(callHeader("x"), '{"name":"a__echo","_meta":{"progressToken":1}}');
  await settled();
  const message = "x".repeat(2_000);
  pipe.say({ method: "notifications/progress", params: { progressToken: 3, message } });
  pipe.say({ id: 3, result: {} });
  assert.deepEqual(answers().map(({ header }) => header.type), ["accepted", "result"]);
});

test("more calls than the runner takes are refused, and have not run", async () => {
  const { wire, answers, received, pipe } = await welcomed();
  for (let n = 0; n < 1_000; n++) wire.say(callHeader(`c${n}`), '{"name":"a__echo"}');
  await settled();
  assert.equal(received().length, 256);
  const refused = answers().filter(({ header }) => header.type === "error");
  assert.equal(refused.length, 744);
  assert.deepEqual(
    [lastError(refused).data.code, lastError(refused).data.executed],
    ["overloaded", "no"],
  );
  pipe.say({ id: 3, result: {} });
  wire.say(callHeader("next"), '{"name":"a__echo"}');
  await settled();
  assert.equal(received().length, 257);
});

test("a ping is answered also when no more calls are taken", async () => {
  const { wire, answers } = await welcomed();
  for (let n = 0; n < 300; n++) wire.say(callHeader(`c${n}`), '{"name":"a__echo"}');
  await settled();
  wire.say(callHeader("ping", { method: "ping", protocolVersion: "" }));
  assert.deepEqual(answers().at(-1), { header: { type: "result", id: "ping" }, payload: "{}" });
});

test("drain() asks for no more calls, and those in flight end as usual", async () => {
  const { wire, pipe, connection, answers } = await welcomed();
  wire.say(callHeader("x"), '{"name":"a__echo"}');
  await settled();
  connection.drain(10_000);
  pipe.say({ id: 3, result: {} });
  assert.deepEqual(answers().map(({ header }) => header.type), ["drain", "result"]);
});

test("a worker that drains is not left before it closes", async () => {
  const { wire, pipe, answers, ended } = await welcomed();
  wire.say(callHeader("x"), '{"name":"a__echo"}');
  await settled();
  wire.say({ type: "drain", reason: "restart", deadlineMs: 1_000 });
  pipe.say({ id: 3, result: {} });
  assert.equal(answers().at(-1)?.header.type, "result");
  assert.deepEqual(ended, []);
});

test("the status of a refusal and the type of a result travel in the headers of their frames", async () => {
  const { wire, pipe, answers } = await welcomed();
  wire.say(callHeader("x", { method: "tools/list" }), "{}");
  wire.say(callHeader("y"), '{"name":"a__echo"}');
  await settled();
  pipe.say({ id: 3, result: { resultType: "x" } });
  const [refused, typed] = answers().map(({ header }) => header);
  assert.deepEqual(refused, { type: "error", id: "x", status: 404 });
  assert.deepEqual(typed, { type: "result", id: "y", resultType: "x" });
});
