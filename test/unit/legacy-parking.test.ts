/**
 * A legacy server asks its client in the middle of a call; the client of MCP 2026-07-28 is asked by a
 * result and comes back with a new request.
 *
 * @module
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { GATHER_MS } from "../../runner/server/legacy-call.ts";
import { MAX_OF_CLIENT } from "../../runner/server/interactive-pool.ts";
import { PARKED_TTL_MS } from "../../runner/server/parking.ts";
import type { FakeClock } from "../support/fake-clock.ts";
import { begin, type Begun, type ExchangeOptions } from "../support/exchange.ts";
import { type Behaviour, type Message, type Pipe, wellBehaved } from "../support/pipe.ts";
import { type Bench, type BenchOptions, openServer } from "../support/server.ts";
import { settled as turned } from "../support/settled.ts";

const ELICITATION = { elicitation: { form: {} } };
const EVERYTHING = { elicitation: { form: {}, url: {} }, sampling: {}, roots: {} };
const FORM = { message: "Who?", requestedSchema: { type: "object", properties: {} } };

/** What a server does when it is called: each test writes it as a script. */
type Script = (
  call: { readonly id: number; readonly params: Message["params"] },
  pipe: Pipe,
) => void;

/** The clock of the server at hand. */
let clock: FakeClock;

/** Lets everything happen that takes no longer than it takes to gather the questions of a server. */
async function settled(): Promise<void> {
  await turned();
  clock.advance(GATHER_MS);
  await turned();
}

/** A server whose calls follow a script, with what answers to its requests `answered` hears. */
function scripted(
  script: Script,
  answered: (answer: Message, pipe: Pipe) => void = () => {},
  options: BenchOptions = {},
): Bench & { readonly interactive: () => Pipe; readonly call: (more?: ExchangeOptions) => Begun } {
  const behave = (): Behaviour => {
    const usual = wellBehaved(["echo"], {
      "tools/call": ({ id, params }, pipe) => script({ id: id ?? 0, params }, pipe),
    });
    return (message, pipe) =>
      message.method === undefined ? answered(message, pipe) : usual(message, pipe);
  };
  const bench = openServer({ behave, ...options });
  ({ clock } = bench);
  return {
    ...bench,
    call: (more) => begin(bench.server, { capabilities: ELICITATION, ...more }),
    interactive: () => {
      const found = bench.pipes.find((pipe) => pipe.received("tools/call").length > 0);
      if (found === undefined) throw new Error("Nothing was called");
      return found;
    },
  };
}

/** A server that asks for a name and then greets it. */
function greeter(options: BenchOptions = {}) {
  let callId = 0;
  return scripted(
    ({ id }, pipe) => {
      callId = id;
      pipe.say({ id: "ask-1", method: "elicitation/create", params: FORM });
    },
    ({ result, error }, pipe) =>
      pipe.say({ id: callId, result: { said: result ?? null, refused: error ?? null } }),
    options,
  );
}

test("a question ends the exchange, the answer goes on with it, and the server sees one call", async () => {
  const { call, interactive } = greeter();
  const first = call();
  await settled();
  const { state, inputRequests } = first.question();
  assert.deepEqual(inputRequests, {
    "elicitation-1": { method: "elicitation/create", params: FORM },
  });
  const answer = { action: "accept", content: { name: "Ada" } };
  const second = call({ input: { state, responses: { "elicitation-1": answer } } });
  await settled();
  assert.deepEqual(second.events, [
    "accepted",
    `result ${JSON.stringify({ said: answer, refused: null })}`,
  ]);
  assert.equal(interactive().received("tools/call").length, 1);
  assert.deepEqual(interactive().received().at(-1), {
    jsonrpc: "2.0",
    id: "ask-1",
    result: answer,
  });
});

test("the server learns at initialize exactly what the client can do for it", async () => {
  const { call, interactive } = greeter();
  const experimental = { "com.example/x": { b: 1, a: 2 } };
  call({ capabilities: { ...ELICITATION, experimental, extensions: { "com.example/ui": {} } } });
  await settled();
  assert.deepEqual(interactive().received("initialize")[0]?.params?.["capabilities"], {
    ...ELICITATION,
    experimental,
  });
});

test("everything that is asked in one go is one question, and what comes later the next", async () => {
  let callId = 0;
  let answers = 0;
  const { call } = scripted(({ id }, pipe) => {
    callId = id;
    pipe.say({ id: 1, method: "elicitation/create", params: FORM });
    pipe.say({ id: 2, method: "sampling/createMessage", params: { messages: [], maxTokens: 1 } });
    pipe.say({ id: 3, method: "roots/list" });
  }, (_, pipe) => {
    answers++;
    if (answers === 3) pipe.say({ id: 4, method: "elicitation/create", params: FORM });
    if (answers === 4) pipe.say({ id: callId, result: {} });
  });
  const first = call({ capabilities: EVERYTHING });
  await settled();
  const { state, inputRequests } = first.question();
  assert.deepEqual(Object.keys(inputRequests), ["elicitation-1", "sampling-2", "roots-3"]);
  assert.deepEqual(inputRequests["roots-3"], { method: "roots/list" });
  const second = call({
    capabilities: EVERYTHING,
    input: {
      state,
      responses: { "elicitation-1": {}, "sampling-2": {}, "roots-3": {}, unknown: { ignored: 1 } },
    },
  });
  await settled();
  const next = second.question();
  assert.notEqual(next.state, state);
  assert.deepEqual(Object.keys(next.inputRequests), ["elicitation-4"]);
  const third = call({ input: { state: next.state, responses: { "elicitation-4": {} } } });
  await settled();
  assert.deepEqual(third.events, ["accepted", "result {}"]);
});

test("answers that are missing are asked for again, and no answer is asked for twice", async () => {
  let callId = 0;
  const got: unknown[] = [];
  const { call } = scripted(({ id }, pipe) => {
    callId = id;
    pipe.say({ id: "a", method: "elicitation/create", params: FORM });
    pipe.say({ id: "b", method: "elicitation/create", params: FORM });
  }, (answer, pipe) => {
    got.push(answer.id);
    if (got.length === 2) pipe.say({ id: callId, result: {} });
  });
  const first = call();
  await settled();
  const second = call({
    input: { state: first.question().state, responses: { "elicitation-2": {} } },
  });
  await settled();
  const again = second.question();
  assert.deepEqual(Object.keys(again.inputRequests), ["elicitation-1"]);
  const third = call({ input: { state: again.state, responses: { "elicitation-1": {} } } });
  await settled();
  assert.deepEqual(third.events, ["accepted", "result {}"]);
  assert.deepEqual(got, ["b", "a"]);
});

test("a client of an older revision may answer with an error, which the server gets", async () => {
  const { call } = greeter();
  const version = "2025-11-25";
  const first = call({ version });
  await settled();
  const refused = { code: -1, message: "The user has left" };
  const second = call({
    version,
    input: { state: first.question().state, errors: { "elicitation-1": refused } },
  });
  await settled();
  assert.equal(
    second.events.at(-1),
    `result ${JSON.stringify({ said: null, refused })}`,
  );
});

test("a state works once, for its own client, and says otherwise that it has expired", async () => {
  const { call } = greeter();
  const first = call();
  await settled();
  const input = { state: first.question().state, responses: { "elicitation-1": {} } };
  assert.deepEqual(call({ client: "other", input }).events, ["failed state_invalid unknown"]);
  assert.deepEqual(call({ input: { ...input, state: "made up" } }).events, [
    "failed state_invalid unknown",
  ]);
  call({ input });
  await settled();
  assert.deepEqual(call({ input }).events, ["failed state_invalid unknown"]);
});

test("answers without a state come with a first call: it is sent, and asks", async () => {
  const { call, interactive } = greeter();
  const first = call({ input: { responses: { "elicitation-1": { action: "accept" } } } });
  await settled();
  assert.deepEqual(Object.keys(first.question().inputRequests), ["elicitation-1"]);
  assert.equal(interactive().received("tools/call").length, 1);
});

test("a question may wait as long as its call says", async () => {
  const { call } = greeter();
  const first = call({ patienceMs: () => 2 * PARKED_TTL_MS });
  await settled();
  clock.advance(2 * PARKED_TTL_MS - 2 * GATHER_MS);
  const second = call({
    input: { state: first.question().state, responses: { "elicitation-1": {} } },
  });
  await settled();
  assert.match(second.events.at(-1) ?? "", /^result /);
});

test("a call that is given up while it is parked is taken back from the server at once", async () => {
  const { call, interactive } = greeter();
  const first = call();
  await settled();
  const { state } = first.question();
  first.withdraw("Not wanted any more");
  const [called] = interactive().received("tools/call");
  const [cancelled] = interactive().received("notifications/cancelled");
  assert.equal(cancelled?.params?.["requestId"], called?.id);
  const late = call({ input: { state, responses: {} } });
  assert.deepEqual(late.events, ["failed state_invalid unknown"]);
});

test("a client that abandons its questions gives up the oldest for its next call, and nobody else's", async () => {
  const { call, pipes } = greeter();
  const other = call({ client: "other" });
  await settled();
  const own: Begun[] = [];
  for (let n = 0; n <= MAX_OF_CLIENT; n++) {
    own.push(call());
    await settled();
  }
  assert.equal(pipes.filter(({ ended }) => ended).length, 1);
  const back = async (from: Begun, client?: string): Promise<string> => {
    const input = { state: from.question().state, responses: { "elicitation-1": {} } };
    const second = call({ input, ...(client !== undefined && { client }) });
    await settled();
    return (second.events.at(-1) ?? "").slice(0, 20);
  };
  assert.equal(await back(own[0] as Begun), "failed state_invalid");
  for (const each of own.slice(1)) assert.match(await back(each), /^(accepted|result)/);
  assert.match(await back(other, "other"), /^(accepted|result)/);
});

test("nobody comes back in time: the server is told, and the process is free", async () => {
  const { call, interactive, clock, pipes } = greeter();
  const first = call();
  await settled();
  const waiting = pipes.length;
  clock.advance(PARKED_TTL_MS);
  const [cancelled] = interactive().received("notifications/cancelled");
  const [called] = interactive().received("tools/call");
  assert.equal(cancelled?.params?.["requestId"], called?.id);
  assert.ok(interactive().lines.some((line) => /"id":"ask-1","error"/.test(line)));
  const late = call({ input: { state: first.question().state, responses: {} } });
  assert.deepEqual(late.events, ["failed state_invalid unknown"]);
  const next = call();
  await settled();
  assert.equal(next.question().inputRequests["elicitation-1"]?.method, "elicitation/create");
  assert.equal(pipes.length, waiting);
});

test("a server that finishes while nobody is there is heard by the one who comes back", async () => {
  const { call, interactive } = greeter();
  const first = call();
  await settled();
  interactive().say({ id: interactive().received("tools/call")[0]?.id, result: { anyway: true } });
  const second = call({ input: { state: first.question().state, responses: {} } });
  assert.deepEqual(second.events, ["accepted", 'result {"anyway":true}']);
});

test("a server that ends while nobody is there is heard of by the one who comes back", async () => {
  const { call, interactive } = greeter();
  const first = call();
  await settled();
  interactive().end({ code: 1 });
  await settled();
  const second = call({ input: { state: first.question().state, responses: {} } });
  assert.deepEqual(second.events, ["accepted", "failed server_crashed unknown"]);
});

test("a question that the server takes back is not asked", async () => {
  const { call, interactive } = scripted(({ id }, pipe) => {
    pipe.say({ id: 7, method: "elicitation/create", params: FORM });
    pipe.say({ method: "notifications/cancelled", params: { requestId: 7 } });
    pipe.say({ id, result: {} });
  });
  const first = call();
  await settled();
  assert.deepEqual(first.events, ["accepted", "result {}"]);
  assert.deepEqual(interactive().received().filter(({ method }) => method === undefined), []);
});

test("a caller that leaves takes its call and what was asked of it along", async () => {
  const { call, interactive } = scripted(({ id }, pipe) => {
    pipe.say({ id: `ask-${id}`, method: "elicitation/create", params: FORM });
  });
  const first = call();
  await settled();
  const second = call({ input: { state: first.question().state, responses: {} } });
  second.withdraw("The client has left");
  await settled();
  assert.deepEqual(second.events, ["accepted"]);
  const after = interactive().received().slice(-2);
  assert.deepEqual(after.map(({ method, error }) => method ?? typeof error), [
    "notifications/cancelled",
    "object",
  ]);
});

test("at most 16 calls of a client are parked, and the 17th is ended at the server", async () => {
  const { call, interactive } = scripted(({ id }, pipe) =>
    pipe.say({ id: `ask-${id}`, method: "elicitation/create", params: FORM })
  );
  for (let n = 0; n < 16; n++) {
    const each = call();
    await settled();
    each.question();
    const pipe = interactive();
    pipe.say({ id: pipe.received("tools/call").at(-1)?.id, result: {} });
  }
  const more = call();
  await settled();
  assert.deepEqual(more.events, ["accepted", "failed overloaded unknown"]);
  assert.equal(interactive().received("notifications/cancelled").length, 1);
  const other = call({ client: "other" });
  await settled();
  other.question();
});

const stripped: Array<[what: string, params: object, version: string, shown: object]> = [
  [
    "the id of a URL elicitation is not shown to modern clients",
    { mode: "url", url: "https://x.test/", message: "m", elicitationId: "e1" },
    "2026-07-28",
    { mode: "url", url: "https://x.test/", message: "m" },
  ],
  [
    "the id of a URL elicitation is kept for clients of 2025-11-25",
    { mode: "url", url: "https://x.test/", message: "m", elicitationId: "e1" },
    "2025-11-25",
    { mode: "url", url: "https://x.test/", message: "m", elicitationId: "e1" },
  ],
  [
    "what is between server and runner is not shown",
    { ...FORM, _meta: { progressToken: 1, "io.modelcontextprotocol/x": 1, "com.example/y": 2 } },
    "2026-07-28",
    { ...FORM, _meta: { "com.example/y": 2 } },
  ],
];

for (const [what, params, version, shown] of stripped) {
  test(what, async () => {
    const { call } = scripted(({ id }, pipe) =>
      pipe.say({ id: `ask-${id}`, method: "elicitation/create", params })
    );
    const first = call({ capabilities: EVERYTHING, version });
    await settled();
    assert.deepEqual(first.question().inputRequests["elicitation-1"]?.params, shown);
  });
}

test("while a call waits for a person, another process takes the client's next one", async () => {
  const { call, pipes } = scripted(({ id, params }, pipe) => {
    if (params?.["name"] === "quick") pipe.say({ id, result: { quick: true } });
    else pipe.say({ id: `ask-${id}`, method: "elicitation/create", params: FORM });
  }, ({ id }, pipe) => pipe.say({ id: Number(String(id).slice(4)), result: { slow: true } }));
  const slow = call();
  await settled();
  const quick = call({ params: '{"name":"quick"}' });
  await settled();
  assert.deepEqual(quick.events, ["accepted", 'result {"quick":true}']);
  const back = call({
    input: { state: slow.question().state, responses: { "elicitation-1": {} } },
  });
  await settled();
  assert.deepEqual(back.events, ["accepted", 'result {"slow":true}']);
  assert.deepEqual(
    pipes.map((pipe) => pipe.received("tools/call").length).filter((calls) => calls > 0),
    [1, 1],
  );
});

test("progress reaches whoever waits now, under the token of that request", async () => {
  let callId = 0;
  const progress = (pipe: Pipe, n: number) =>
    pipe.say({
      method: "notifications/progress",
      params: { progressToken: callId, progress: n },
    });
  const { call, interactive } = scripted(({ id }, pipe) => {
    callId = id;
    progress(pipe, 1);
    pipe.say({ id: "ask", method: "elicitation/create", params: FORM });
  }, (_, pipe) => {
    progress(pipe, 3);
    pipe.say({ id: callId, result: {} });
  });
  const first = call({ params: '{"name":"echo","_meta":{"progressToken":"one"}}' });
  await settled();
  progress(interactive(), 2);
  const second = call({
    params: '{"name":"echo","_meta":{"progressToken":"two"}}',
    input: { state: first.question().state, responses: { "elicitation-1": {} } },
  });
  await settled();
  const notes = [first, second].map(({ events }) =>
    events.filter((event) => event.startsWith("note")).map((note) => note.slice(-37))
  );
  assert.deepEqual(notes, [
    ['{"progressToken":"one","progress":1}}'],
    ['{"progressToken":"two","progress":3}}'],
  ]);
});

test("a server that floods its client with questions is heard 64 times", async () => {
  const { call, interactive } = scripted((_, pipe) => {
    for (let n = 0; n < 1_000; n++) {
      pipe.say({ id: `q${n}`, method: "elicitation/create", params: FORM });
    }
  });
  const first = call();
  await settled();
  assert.equal(Object.keys(first.question().inputRequests).length, 64);
  assert.equal(interactive().received().filter(({ error }) => error !== undefined).length, 936);
});

test("params of a question that are no object are shown as an empty one", async () => {
  const { call } = scripted((_, pipe) =>
    pipe.say({ id: "q", method: "elicitation/create", params: [1] })
  );
  const first = call();
  await settled();
  assert.deepEqual(first.question().inputRequests["elicitation-1"]?.params, {});
});

test("prompts and resources are asked about like tools", async () => {
  const asking: Behaviour = (_, pipe) =>
    pipe.say({ id: "q", method: "elicitation/create", params: FORM });
  const { server, ...bench } = openServer({
    behave: () => wellBehaved(["echo"], { "prompts/get": asking, "resources/read": asking }),
  });
  ({ clock } = bench);
  for (const method of ["prompts/get", "resources/read"] as const) {
    const each = begin(server, { method, params: "{}", capabilities: ELICITATION });
    await settled();
    each.question();
  }
});

test("stop() gives up what is parked, and nothing is left that waits", async () => {
  const { call, server, clock } = greeter();
  const first = call();
  await settled();
  first.question();
  await server.stop();
  assert.equal(clock.pending, 0);
});
