import assert from "node:assert/strict";
import { test } from "node:test";
import { MAX_USED, RequestStates, STATE_TTL_MS } from "../../runner/gateway/request-state.ts";
import { fakeClock } from "../support/fake-clock.ts";
import { errorOf } from "../support/gateway.ts";
import { openScripted, resultOf, type ScriptedGateway } from "../support/scripted-gateway.ts";

const QUESTION = '{"resultType":"input_required","inputRequests":{"who":{"method":"roots/list"}}}';
const ANSWERS = { who: { roots: [] } };

/** A gateway whose server "a" has asked for input in a call of a__echo, with the state of its own. */
async function asked(
  inner: string | undefined = "inner",
): Promise<ScriptedGateway & { readonly state: string; readonly events: readonly string[] }> {
  const bench = openScripted({ a: { tools: ["echo", "other"] }, b: { tools: ["echo"] } });
  const events = await bench.ask("tools/call", { name: "a__echo", arguments: { x: 1, y: [2] } });
  bench.server("a").last.listener.inputRequired(QUESTION, inner);
  return { ...bench, events, state: String(resultOf(events)["requestState"]) };
}

/** The retry of that call. */
function retry(requestState: unknown, more: object = {}): object {
  return {
    name: "a__echo",
    arguments: { x: 1, y: [2] },
    inputResponses: ANSWERS,
    requestState,
    ...more,
  };
}

test("a question reaches the caller with a state of ours, told apart from a result", async () => {
  const { events, state } = await asked();
  assert.match(events[0] ?? "", /^input_required result /);
  const { resultType, inputRequests, _meta } = resultOf(events);
  assert.equal(resultType, "input_required");
  assert.deepEqual(inputRequests, { who: { method: "roots/list" } });
  assert.ok(_meta);
  assert.match(state, /^runner-1\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/);
});

test("a caller of a legacy revision gets the question in the same form", async () => {
  const bench = openScripted({ a: { tools: ["echo"] } });
  const events = await bench.ask("tools/call", { name: "a__echo" }, {
    protocolVersion: "2025-11-25",
  });
  bench.server("a").last.listener.inputRequired(QUESTION, "inner");
  assert.match(events[0] ?? "", /^input_required result /);
  assert.match(String(resultOf(events)["requestState"]), /^runner-1\./);
});

test("the retry brings the server its state and the answers, and params without them", async () => {
  const { ask, server, state } = await asked();
  const events = await ask("tools/call", retry(state, { _meta: { a: 1 } }));
  const { exchange, params, result } = server("a").last;
  assert.equal(params, '{"name":"echo","arguments":{"x":1,"y":[2]},"_meta":{"a":1}}');
  assert.equal(exchange.input?.state, "inner");
  assert.deepEqual([...exchange.input.responses], [["who", '{"roots":[]}']]);
  assert.deepEqual([...exchange.input.errors], []);
  result('{"content":[]}');
  assert.equal(resultOf(events)["resultType"], "complete");
});

test("errors of legacy clients come beside the answers", async () => {
  const { ask, server, state } = await asked();
  const key = "com.mcp-runner/inputErrors";
  await ask(
    "tools/call",
    retry(state, {
      inputResponses: {},
      _meta: { progressToken: 7, [key]: { who: { code: -1, message: "no" } } },
    }),
  );
  const { exchange, params } = server("a").last;
  assert.deepEqual([...exchange.input?.errors ?? []], [["who", '{"code":-1,"message":"no"}']]);
  assert.match(params, /"_meta":\{"progressToken":7\}/);
});

test("arguments that were written anew and mean the same are the same", async () => {
  const { ask, server, state } = await asked();
  const params = `{"arguments":{ "y" : [2.0], "x":1e0 },"name":"a__echo","requestState":${
    JSON.stringify(state)
  }}`;
  await ask("tools/call", params);
  assert.equal(server("a").exchanges.length, 2);
});

const numbers: Array<[asked: string, retried: string, same: boolean]> = [
  ["9007199254740993", "9007199254740992", false],
  ["9007199254740993", "9007199254740993", true],
  ["1e400", "1e401", false],
  ["1e-400", "0", false],
  ["0.1000000000000000001", "0.1", false],
  ["0.10", "1e-1", true],
  ["0", "0.0", true],
  ['{"number":"1"}', "1", false],
  ['"\\u0061"', '"a"', true],
  ['{"b":[1],"a":{}}', ' { "a":{ }, "b":[ 1.0 ] } ', true],
  ["[]", "{}", false],
  ['{"__proto__":1}', "{}", false],
];

for (const [first, second, same] of numbers) {
  test(`the arguments ${first} and ${second} count as ${same ? "the same" : "others"}`, async () => {
    const bench = openScripted({ a: { tools: ["echo"] } });
    const params = (x: string): string => `{"name":"a__echo","arguments":{"x":${x}}}`;
    const events = await bench.ask("tools/call", params(first));
    bench.server("a").last.listener.inputRequired(QUESTION, "inner");
    const state = JSON.stringify(resultOf(events)["requestState"]);
    const late = await bench.ask(
      "tools/call",
      `${params(second).slice(0, -1)},"requestState":${state}}`,
    );
    assert.equal(bench.server("a").exchanges.length, same ? 2 : 1);
    if (!same) assert.equal(errorOf(late).data.code, "state_invalid");
  });
}

const misuses: Array<[what: string, make: (state: string) => object, client?: string]> = [
  ["was altered at its end", (state) => retry(`${state}-TAMPERED`)],
  [
    "was altered inside",
    (state) => retry(state.replace(/\.(.)/, (_, c) => c === "A" ? ".B" : ".A")),
  ],
  ["has no signature", (state) => retry(state.split(".").slice(0, 2).join("."))],
  ["has an empty signature", (state) => retry(state.replace(/[^.]*$/, ""))],
  ["belongs to another runner", (state) => retry(state.replace("runner-1", "runner-2"))],
  ["is empty", () => retry("")],
  ["is the server's own", () => retry("inner")],
  ["is far too long", (state) => retry(state + "x".repeat(2 * 1024 * 1024))],
  ["comes from another client", (state) => retry(state), "eve"],
  ["comes with another tool", (state) => retry(state, { name: "a__other" })],
  ["comes with the tool of another server", (state) => retry(state, { name: "b__echo" })],
  ["comes with other arguments", (state) => retry(state, { arguments: { x: 2, y: [2] } })],
  ["comes with arguments of another kind", (state) => retry(state, { arguments: [["x", 1]] })],
  ["comes without arguments", (state) => retry(state, { arguments: undefined })],
];

for (const [what, make, client] of misuses) {
  test(`a state that ${what} is refused, in the same words, and nothing runs`, async () => {
    const { ask, server, state } = await asked();
    const events = await ask(
      "tools/call",
      make(state),
      client === undefined ? {} : { caller: { client } },
    );
    const { code, message, data } = errorOf(events);
    assert.deepEqual([code, data.code], [-32602, "state_invalid"]);
    assert.match(message, /^Cannot go on with the request: its requestState has expired, was used/);
    assert.equal(server("a").exchanges.length + server("b").exchanges.length, 1);
  });
}

test("a state does not go to another server that has the name by now", async () => {
  const bench = openScripted({
    first: { prefix: "" },
    second: { prefix: "", tools: ["echo"] },
  });
  const events = await bench.ask("tools/call", { name: "echo" });
  bench.server("second").last.listener.inputRequired(QUESTION, "inner");
  bench.server("first").relist({ tools: ["echo"] });
  const { requestState } = resultOf(events);
  const late = await bench.ask("tools/call", { name: "echo", requestState });
  assert.equal(errorOf(late).data.code, "state_invalid");
  assert.equal(bench.server("first").exchanges.length, 0);
});

test("a state is good once, also when two retries come together", async () => {
  const { ask, server, state } = await asked();
  const [first, second] = await Promise.all([
    ask("tools/call", retry(state)),
    ask("tools/call", retry(state)),
  ]);
  const third = await ask("tools/call", retry(state));
  assert.equal(server("a").exchanges.length, 2);
  assert.deepEqual(first, []);
  for (const events of [second, third]) assert.equal(errorOf(events).data.code, "state_invalid");
});

test("a state is good for ten minutes", async () => {
  const one = await asked();
  one.clock.advance(599_999);
  await one.ask("tools/call", retry(one.state));
  assert.equal(one.server("a").exchanges.length, 2);
  const other = await asked();
  other.clock.advance(600_000);
  const events = await other.ask("tools/call", retry(other.state));
  assert.equal(errorOf(events).data.code, "state_invalid");
});

test("states that have come back are remembered up to a bound, and until they expire", () => {
  const clock = fakeClock();
  const states = new RequestStates("runner-1", clock);
  const subject = { client: "ada", method: "tools/call", name: "x", args: undefined };
  const give = (): string => states.give(subject, { server: "a", round: 1, inner: undefined });
  const first = give();
  states.take(first, subject);
  for (let n = 1; n < MAX_USED; n++) states.take(give(), subject);
  const late = give();
  assert.throws(() => states.take(late, subject), { code: "overloaded", executed: "no" });
  assert.throws(() => states.take(first, subject), { code: "state_invalid" });
  clock.advance(1);
  const later = give();
  clock.advance(STATE_TTL_MS - 1);
  assert.equal(states.take(later, subject).server, "a");
});

test("a state of another start of the runner is void", async () => {
  const { state } = await asked();
  const { ask, server } = await asked();
  const events = await ask("tools/call", retry(state));
  assert.equal(errorOf(events).data.code, "state_invalid");
  assert.equal(server("a").exchanges.length, 1);
});

const malformed: Array<[what: string, more: object]> = [
  ["answers that are a list", { inputResponses: [] }],
  ["answers that are text", { inputResponses: "x" }],
  ["an answer that is text", { inputResponses: { who: "x" } }],
  ["an answer that is null", { inputResponses: { who: null } }],
  ["errors that are a list", { _meta: { "com.mcp-runner/inputErrors": [] } }],
];

for (const [what, more] of malformed) {
  test(`a retry with ${what} is refused, and may come again in good form`, async () => {
    const { ask, server, state } = await asked();
    const events = await ask("tools/call", retry(state, more));
    const { code, data } = errorOf(events);
    assert.deepEqual([code, data.code], [-32602, "invalid_params"]);
    assert.equal(server("a").exchanges.length, 1);
    await ask("tools/call", retry(state));
    assert.equal(server("a").exchanges.length, 2);
  });
}

test("a state that is no string is refused", async () => {
  const { ask } = await asked();
  assert.equal(errorOf(await ask("tools/call", retry(7))).data.code, "invalid_params");
});

test("answers without a state reach the server without one", async () => {
  const { ask, server } = await asked();
  await ask("tools/call", { name: "a__echo", inputResponses: ANSWERS });
  const { input } = server("a").last.exchange;
  assert.equal(input?.state, undefined);
  assert.equal(input?.responses.size, 1);
});

test("a request that is no retry has no input", async () => {
  const { server } = await asked();
  assert.equal("input" in server("a").last.exchange, false);
});

test("every round has a state of its own, and after ten rounds it is enough", async () => {
  const { ask, server, state } = await asked();
  const seen = new Set([state]);
  let next = state;
  for (let round = 2; round <= 10; round++) {
    const events = await ask("tools/call", retry(next));
    server("a").last.listener.inputRequired(QUESTION, undefined);
    next = String(resultOf(events)["requestState"]);
    seen.add(next);
  }
  assert.equal(seen.size, 10);
  const events = await ask("tools/call", retry(next));
  server("a").last.listener.inputRequired(QUESTION, undefined);
  assert.match(errorOf(events).message, /server "a" asked for input more than 10 times/);
});

test("the server's own state may be large, and not larger", async () => {
  const large = "é".repeat(32 * 1024);
  const { ask, server, state } = await asked(large);
  await ask("tools/call", retry(state));
  assert.equal(server("a").last.exchange.input?.state, large);
  const events = await ask("tools/call", { name: "a__echo" });
  server("a").last.listener.inputRequired(QUESTION, `${large}x`);
  assert.equal(errorOf(events).data.code, "server_failed");
});

test("a state may hold what JSON escapes", async () => {
  const nasty = '\u0000\u2028"\\.\ud800'.repeat(6_000);
  const { ask, server, state } = await asked(nasty);
  await ask("tools/call", retry(state));
  assert.equal(server("a").last.exchange.input?.state?.length, nasty.length);
});

test("prompts and resources may ask for input as well; a read goes on where it was asked", async () => {
  const bench = openScripted({
    a: { prompts: ["greet"], reads: true },
    b: { reads: true },
  });
  const prompt = await bench.ask("prompts/get", { name: "a__greet" });
  bench.server("a").last.listener.inputRequired(QUESTION, "p");
  const prompted = String(resultOf(prompt)["requestState"]);
  await bench.ask("prompts/get", { name: "a__greet", requestState: prompted });
  assert.equal(bench.server("a").last.exchange.input?.state, "p");

  const read = await bench.ask("resources/read", { uri: "file:///x" });
  bench.server("a").last.listener.error('{"code":-32602,"message":"no","data":{"uri":"x"}}');
  bench.server("b").last.listener.inputRequired(QUESTION, "r");
  const before = bench.server("a").exchanges.length;
  const requestState = String(resultOf(read)["requestState"]);
  await bench.ask("resources/read", { uri: "file:///x", requestState });
  assert.equal(bench.server("a").exchanges.length, before);
  assert.equal(bench.server("b").last.exchange.input?.state, "r");
  assert.equal(bench.server("b").last.params, '{"uri":"file:///x"}');
});
