import assert from "node:assert/strict";
import { test } from "node:test";
import { INPUT_ERRORS_KEY } from "../../src/mcp/meta.ts";
import { nextParams } from "../../worker/home/input-required.ts";
import { inSession, messageOf, post, RESULT } from "../support/home.ts";
import {
  ask,
  call,
  FORM,
  lastRound,
  ROOTS,
  SAMPLING,
  start,
  URL_FORM,
} from "../support/questions.ts";
import {
  ASKABLE,
  type EventReader,
  eventsOf,
  listen,
  NOTE,
  openSessionWith,
  reply,
  sendOf,
  type StreamMessage,
} from "../support/session.ts";
import { settled } from "../support/settled.ts";

test("what a server asks reaches the client as a request, and its answer the server", async () => {
  const asking = await start();
  const { session, runner } = asking;
  const events = await call(asking, { who: FORM }, { requestState: "2b7c3db9.s1" });
  const question = await events.message();
  assert.equal(question.method, "elicitation/create");
  assert.deepEqual(question.params, FORM.params);
  assert.match(String(question.id), /^ask-[\w-]{22}$/);
  const result = { action: "accept", content: { name: "Ada" } };
  assert.equal(await reply(session, question.id, { result }), 202);
  assert.deepEqual(await lastRound(runner), {
    name: "notes__read",
    arguments: { n: 1 },
    _meta: { progressToken: 4 },
    inputResponses: { who: result },
    requestState: "2b7c3db9.s1",
  });
  const end = await events.message();
  assert.deepEqual([end.id, end.result], [1, JSON.parse(RESULT)]);
  assert.equal(await events.next(), undefined);
  assert.equal(session.client.worker.clock.pending, 0);
});

test("questions and answers are passed on byte for byte", async () => {
  const asking = await start();
  const { session, runner } = asking;
  const answer = inSession(session, "tools/call", { name: "notes__read" });
  const { header } = await runner.next("call");
  const params = '{ "message":"a\\u0062c", "requestedSchema":{"x":1.0,"y":[ 2e3 ]} }';
  runner.say(
    { type: "result", id: header.id, resultType: "input_required" },
    `{"resultType":"input_required","inputRequests":{"k":{"method":"elicitation/create","params":${params}}}}`,
  );
  const events = eventsOf(await answer);
  await events.next();
  const event = await events.next();
  assert.ok(event !== undefined && event.data.includes(`"params":${params}`));
  const id = JSON.stringify((JSON.parse(event.data) as StreamMessage).id);
  const result = '{ "action":"accept","content":{"n":1.50} }';
  await post(session.client, `{"jsonrpc":"2.0","id":${id},"result":${result}}`, {
    headers: { "mcp-session-id": session.id },
  });
  assert.ok((await runner.next("call")).payload.includes(`{"k":${result}}`));
});

test("several questions are asked at once, and the next round begins when all are answered", async () => {
  const asking = await start();
  const { session, runner } = asking;
  const events = await call(asking, { a: FORM, b: SAMPLING, c: ROOTS });
  const questions = [await events.message(), await events.message(), await events.message()];
  assert.deepEqual(questions.map(({ method }) => method), [
    "elicitation/create",
    "sampling/createMessage",
    "roots/list",
  ]);
  assert.equal(new Set(questions.map(({ id }) => id)).size, 3);
  for (const { id, method } of questions.toReversed()) {
    assert.equal(runner.all("call").length, 1);
    await reply(session, id, { result: { method } });
    await settled();
  }
  const { inputResponses, requestState } = await lastRound(runner);
  assert.deepEqual(inputResponses, {
    a: { method: "elicitation/create" },
    b: { method: "sampling/createMessage" },
    c: { method: "roots/list" },
  });
  assert.equal(requestState, undefined);
});

test("a client's error takes the place of its answer", async () => {
  const asking = await start();
  const { session, runner } = asking;
  const events = await call(asking, { a: FORM, b: ROOTS });
  const error = { code: -1, message: "The user has left", data: { why: "lunch" } };
  await reply(session, (await events.message()).id, { error });
  await reply(session, (await events.message()).id, { result: { roots: [] } });
  const { _meta, inputResponses } = await lastRound(runner);
  assert.deepEqual(_meta, { progressToken: 4, [INPUT_ERRORS_KEY]: { a: error } });
  assert.deepEqual(inputResponses, { b: { roots: [] } });
});

const strange: ReadonlyArray<readonly [why: string, answer: object]> = [
  ["a result that is no object", { result: 7 }],
  ["an error without a code", { error: { message: "x" } }],
  ["an error that is text", { error: "x" }],
];

for (const [why, answer] of strange) {
  test(`${why} is an error for the server, and the call goes on`, async () => {
    const asking = await start();
    const events = await call(asking, { a: FORM });
    await reply(asking.session, (await events.message()).id, answer as { result: unknown });
    const { _meta } = await lastRound(asking.runner);
    const errors = (_meta as Record<string, Record<string, { code: number }>>)[INPUT_ERRORS_KEY];
    assert.equal(errors?.["a"]?.code, -32602);
  });
}

test("a URL elicitation gets the id that 2025-11-25 asks for, unless it has one", async () => {
  const asking = await start();
  const own = { ...URL_FORM, params: { ...URL_FORM.params, elicitationId: "e1" } };
  const events = await call(asking, { a: URL_FORM, b: own });
  const { elicitationId, ...rest } = (await events.message()).params ?? {};
  assert.match(String(elicitationId), /^[\w-]{36}$/);
  assert.deepEqual(rest, URL_FORM.params);
  assert.equal((await events.message()).params?.["elicitationId"], "e1");
});

const undeclared: ReadonlyArray<readonly [capabilities: object, version: string, request: object]> =
  [
    [{}, "2025-11-25", FORM],
    [{}, "2025-11-25", SAMPLING],
    [{}, "2025-11-25", ROOTS],
    [{ elicitation: {} }, "2025-11-25", URL_FORM],
    [{ elicitation: { url: {} } }, "2025-11-25", FORM],
    [{ elicitation: { url: {} } }, "2025-06-18", URL_FORM],
    [{ elicitation: {} }, "2025-03-26", FORM],
    [ASKABLE, "2025-11-25", { method: "ping" }],
    [ASKABLE, "2025-11-25", { method: "tools/call", params: { name: "x" } }],
  ];

for (const [capabilities, version, request] of undeclared) {
  const what = JSON.stringify(request).slice(0, 60);
  test(`${what} is not asked of a client of ${version} with ${JSON.stringify(capabilities)}`, async () => {
    const { session, runner } = await start(capabilities, version);
    const answer = inSession(session, "tools/call", { name: "notes__read" }, {
      headers: { "mcp-protocol-version": undefined },
    });
    await ask(runner, { a: request });
    const { _meta } = await lastRound(runner);
    const errors = (_meta as Record<string, Record<string, { code: number }>>)[INPUT_ERRORS_KEY];
    assert.equal(errors?.["a"]?.code, -32601);
    assert.deepEqual((await messageOf(await answer)).result, JSON.parse(RESULT));
  });
}

for (
  const [capabilities, version] of [[{ elicitation: {} }, "2025-11-25"], [
    { elicitation: {} },
    "2025-06-18",
  ]] as const
) {
  test(`a form is asked of a client of ${version} with ${JSON.stringify(capabilities)}`, async () => {
    const asking = await start(capabilities, version);
    const headers = { "mcp-protocol-version": version };
    const events = await call(asking, { a: FORM }, { headers });
    assert.equal((await events.message()).method, "elicitation/create");
  });
}

test("a server may ask in ten rounds, and its notes of all of them are on one stream", async () => {
  const { session, runner } = await start();
  const answer = inSession(session, "tools/call", { name: "notes__read" });
  let events: EventReader | undefined;
  const ids = new Set<unknown>();
  for (let round = 1; round <= 10; round++) {
    const { header, payload } = await runner.next("call");
    runner.say({ type: "note", id: header.id }, NOTE);
    const params = JSON.parse(payload) as Record<string, unknown>;
    assert.equal(params["requestState"], round === 1 ? undefined : `2b7c3db9.${round - 1}`);
    runner.say({ type: "result", id: header.id, resultType: "input_required" }, {
      inputRequests: { [`k${round}`]: FORM },
      requestState: `2b7c3db9.${round}`,
    });
    events ??= eventsOf(await answer);
    assert.equal((await events.message()).method, "notifications/message");
    const { id } = await events.message();
    ids.add(id);
    await reply(session, id, { result: { action: "decline" } });
  }
  const end = await events?.message();
  assert.deepEqual([end?.id, end?.error?.code], [1, 1003]);
  assert.equal(end?.error?.data["executed"], "unknown");
  assert.equal(ids.size, 10);
  assert.equal(runner.all("call").length, 10);
});

test("a state without questions is brought back at once", async () => {
  const { session, runner } = await start({});
  const answer = inSession(session, "tools/call", { name: "notes__read" });
  await ask(runner, undefined, "2b7c3db9.s");
  assert.equal((await lastRound(runner))["requestState"], "2b7c3db9.s");
  assert.deepEqual((await messageOf(await answer)).result, JSON.parse(RESULT));
});

const unreadable: ReadonlyArray<readonly [why: string, result: unknown]> = [
  ["nothing", {}],
  ["too much", {
    inputRequests: Object.fromEntries(Array.from({ length: 33 }, (_, n) => [n, FORM])),
  }],
  ["something that is no request", { inputRequests: { a: { params: {} } } }],
  ["something with a list as params", { inputRequests: { a: { method: "x", params: [] } } }],
];

for (const [why, result] of unreadable) {
  test(`a server that asks ${why} has failed`, async () => {
    const { session, runner } = await start();
    const answer = inSession(session, "tools/call", { name: "notes__read" });
    const { header } = await runner.next("call");
    runner.say({ type: "result", id: header.id, resultType: "input_required" }, result);
    const { error } = await messageOf(await answer);
    assert.deepEqual([error?.code, error?.data["executed"]], [1003, "unknown"]);
  });
}

test("no other session answers a question, of the same client or not", async () => {
  const asking = await start();
  const { session, runner } = asking;
  const { worker } = session.client;
  const events = await call(asking, { a: FORM });
  const { id } = await events.message();
  const others = [
    await openSessionWith(session.client, ASKABLE),
    await openSessionWith(await worker.client(), ASKABLE),
  ];
  for (const other of others) {
    assert.equal(await reply(other, id, { result: { action: "accept" } }), 202);
  }
  const stolen = { ...session, client: await worker.client() };
  assert.equal(await reply(stolen, id, { result: { action: "accept" } }), 404);
  await settled();
  assert.equal(runner.all("call").length, 1);
  await reply(session, id, { result: { action: "decline" } });
  assert.deepEqual((await lastRound(runner))["inputResponses"], { a: { action: "decline" } });
});

test("a question is answered once, and only by its very id", async () => {
  const asking = await start();
  const { session, runner } = asking;
  const events = await call(asking, { a: FORM, b: ROOTS });
  const { id } = await events.message();
  for (const wrong of [1, 0, "", "ask-", `${String(id)}x`]) {
    assert.equal(await reply(session, wrong, { result: { n: 0 } }), 202);
  }
  await reply(session, id, { result: { n: 1 } });
  await reply(session, id, { result: { n: 2 } });
  await reply(session, (await events.message()).id, { result: { n: 3 } });
  assert.deepEqual((await lastRound(runner))["inputResponses"], { a: { n: 1 }, b: { n: 3 } });
});

test("a client that takes no streams is asked on the stream that it listens to", async () => {
  const { session, runner } = await start();
  const standalone = await listen(session);
  const answer = inSession(session, "tools/call", { name: "notes__read" }, {
    headers: { accept: "application/json" },
  });
  await ask(runner, { a: FORM });
  await reply(session, (await standalone.message()).id, { result: { action: "accept" } });
  await lastRound(runner);
  assert.deepEqual((await messageOf(await answer)).result, JSON.parse(RESULT));
});

test("a client that cannot be reached at all gets an error that says what to do", async () => {
  const { session, runner } = await start();
  const answer = inSession(session, "tools/call", { name: "notes__read" }, {
    headers: { accept: "application/json" },
  });
  await ask(runner, { a: FORM, b: ROOTS });
  const { error } = await messageOf(await answer);
  assert.deepEqual([error?.code, error?.data["executed"]], [1003, "unknown"]);
  assert.match(error?.message ?? "", /text\/event-stream/);
  assert.equal(session.client.worker.clock.pending, 0);
});

test("a question that was missed is asked again on the connection that comes next", async () => {
  const asking = await start();
  const { session, runner } = asking;
  const events = await call(asking, { a: FORM });
  const first = (await events.next())?.id;
  await events.leave();
  const again = await listen(session, first);
  await reply(session, (await again.message()).id, { result: { action: "accept" } });
  await lastRound(runner);
  assert.deepEqual((await again.message()).result, JSON.parse(RESULT));
});

test("with its session a question ends", async () => {
  const asking = await start();
  const { session } = asking;
  const events = await call(asking, { a: FORM });
  await events.message();
  await sendOf(session, "DELETE");
  await settled();
  assert.equal(session.client.worker.clock.pending, 0);
  assert.equal(asking.runner.all("call").length, 1);
});

test("a client cannot bring answers to questions that it was not asked", async () => {
  const { session, runner } = await start();
  const smuggled = '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"notes__read",' +
    '"input\\u0052esponses":{"a":{}},"requestState":"2b7c3db9.x",' +
    `"_meta":{"x":1,"${INPUT_ERRORS_KEY}":{"a":{}}}}}`;
  const answer = post(session.client, smuggled, { headers: { "mcp-session-id": session.id } });
  const { header, payload } = await runner.next("call");
  assert.deepEqual(JSON.parse(payload), { name: "notes__read", _meta: { x: 1 } });
  runner.say({ type: "result", id: header.id }, RESULT);
  await answer;
});

test("of more than 64 open questions of a session the rest is not asked", async () => {
  const asking = await start();
  const many = Object.fromEntries(Array.from({ length: 32 }, (_, n) => [`k${n}`, FORM]));
  await call(asking, many, { id: 1 });
  await call(asking, many, { id: 2 });
  const answer = inSession(asking.session, "tools/call", { name: "notes__read" }, { id: 3 });
  await ask(asking.runner, { one: FORM });
  const { _meta } = await lastRound(asking.runner);
  const errors = (_meta as Record<string, Record<string, { code: number }>>)[INPUT_ERRORS_KEY];
  assert.equal(errors?.["one"]?.code, 1007);
  assert.deepEqual((await messageOf(await answer)).result, JSON.parse(RESULT));
});

test("answers that are too long together for a frame end the call, not the tunnel", () => {
  const answers = new Map(["a", "b", "c"].map((key) => {
    return [key, { result: `{"text":"${"x".repeat(3 * 1024 * 1024)}"}` }];
  }));
  assert.throws(() => nextParams("{}", { state: undefined, answers }), {
    name: "GatewayError",
    code: "too_large",
  });
});
