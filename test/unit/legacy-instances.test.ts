/**
 * Which process of a legacy server carries out what: clients that a server may ask have processes of
 * their own, all others share one.
 *
 * @module
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { INTERACTIVE_IDLE_MS, MAX_INSTANCES } from "../../runner/server/interactive-pool.ts";
import { RELIST_DELAY_MS } from "../../runner/server/instance.ts";
import { LISTING_IDLE_MS } from "../../runner/server/legacy-server.ts";
import { begin } from "../support/exchange.ts";
import {
  type Behaviour,
  type Message,
  type Pipe,
  silent,
  tool,
  wellBehaved,
} from "../support/pipe.ts";
import { openServer } from "../support/server.ts";
import { settled } from "../support/settled.ts";

const ELICITATION = { elicitation: {} };
const SUPERSET = { elicitation: { form: {}, url: {} }, roots: { listChanged: true }, sampling: {} };

/** What the client of a process was said to be able to do. */
function told(pipe: Pipe): unknown {
  return pipe.received("initialize")[0]?.params?.["capabilities"];
}

function calls(pipe: Pipe | undefined): readonly Message[] {
  return pipe?.received("tools/call") ?? [];
}

/** A server that leaves calls to the test. */
function holding() {
  return openServer({ behave: () => wellBehaved(["echo"], { "tools/call": silent }) });
}

test("two processes know a server: one for plain calls, one that is told everything for its lists", async () => {
  const { server, pipes } = openServer();
  await server.start();
  assert.deepEqual(pipes.map(told), [{}, SUPERSET]);
});

test("clients that can do nothing for a server share one process, all at once", async () => {
  const { server, pipes } = holding();
  for (const client of ["a", "b", "c"]) begin(server, { client });
  await settled();
  assert.equal(calls(pipes[0]).length, 3);
  assert.deepEqual(told(pipes[0] as Pipe), {});
});

test("a client that can be asked has its own process, for one call after the other in order", async () => {
  const { server, pipes } = holding();
  const names = ["1", "2", "3"];
  for (const name of names) {
    begin(server, { capabilities: ELICITATION, params: JSON.stringify({ name }) });
  }
  await settled();
  const pipe = pipes.find((each) => calls(each).length > 0) as Pipe;
  for (const done of [1, 2, 3]) {
    assert.deepEqual(calls(pipe).map(({ params }) => params?.["name"]), names.slice(0, done));
    pipe.say({ id: calls(pipe).at(-1)?.id, result: {} });
    await settled();
  }
});

test("each client has a process of its own, and another one when it can do something else", async () => {
  const { server, pipes } = holding();
  begin(server, { client: "a", capabilities: ELICITATION });
  begin(server, { client: "b", capabilities: ELICITATION });
  begin(server, { client: "a", capabilities: { sampling: {} } });
  begin(server, { client: "b", capabilities: { elicitation: {}, extensions: { "x.test/y": {} } } });
  await settled();
  const used = pipes.filter((pipe) => calls(pipe).length > 0);
  assert.deepEqual(used.map(told), [ELICITATION, ELICITATION, { sampling: {} }]);
});

test("completions never wait behind a call that may ask", async () => {
  const { server, pipes } = holding();
  begin(server, { capabilities: ELICITATION });
  begin(server, { capabilities: ELICITATION, method: "completion/complete", params: "{}" });
  await settled();
  const pipe = pipes.find((each) => each.received("completion/complete").length > 0) as Pipe;
  assert.deepEqual(told(pipe), {});
});

test("the first client that can do everything takes the process that lists", async () => {
  const { server, pipes } = holding();
  await server.start();
  begin(server, { client: "a", capabilities: SUPERSET });
  await settled();
  assert.equal(pipes.length, 2);
  assert.equal(calls(pipes[1]).length, 1);
  begin(server, { client: "b", capabilities: SUPERSET });
  await settled();
  assert.equal(pipes.length, 3);
});

test("the process that lists is stopped after a minute, and its lists are kept", async () => {
  const { server, pipes, clock, log } = openServer();
  await server.start();
  clock.advance(LISTING_IDLE_MS);
  await settled();
  assert.deepEqual(pipes.map(({ ended }) => ended), [false, true]);
  assert.deepEqual(server.lists?.tools.map(({ key }) => key), ["echo"]);
  assert.deepEqual(log, []);
});

test("a client's process is stopped after five minutes without a call; the plain one stays", async () => {
  const { server, pipes, clock } = openServer();
  begin(server, { capabilities: ELICITATION });
  begin(server);
  await settled();
  clock.advance(INTERACTIVE_IDLE_MS - 1);
  begin(server, { capabilities: ELICITATION });
  await settled();
  clock.advance(INTERACTIVE_IDLE_MS - 1);
  const own = pipes.find((pipe) => JSON.stringify(told(pipe)) === JSON.stringify(ELICITATION));
  assert.equal(own?.ended, false);
  clock.advance(1);
  await settled();
  assert.equal(own?.ended, true);
  assert.equal(pipes.filter(({ ended }) => !ended).length, 1);
  const again = begin(server, { capabilities: ELICITATION });
  await settled();
  assert.equal(again.events.length, 2);
});

test("of more than eight processes the one that was idle for longest goes first", async () => {
  const { server, pipes, clock } = openServer();
  await server.start();
  for (let n = 0; n < MAX_INSTANCES + 1; n++) {
    begin(server, { client: `c${n}`, capabilities: ELICITATION });
    await settled();
    clock.advance(1);
  }
  // The first is plain and stays, the second had given its lists.
  const ended = pipes.map((pipe, n) => (pipe.ended ? n : -1)).filter((n) => n >= 0);
  assert.deepEqual(ended, [1, 2, 3]);
  assert.equal(pipes.length, MAX_INSTANCES + ended.length);
});

test("when all eight are busy, who needs one more is told to come later", async () => {
  const { server } = holding();
  await server.start();
  const begun = Array.from(
    { length: MAX_INSTANCES },
    (_, n) => begin(server, { client: `c${n}`, capabilities: ELICITATION }),
  );
  await settled();
  const last = begun.map(({ events }) => events.at(-1));
  assert.equal(last.filter((event) => event === "failed overloaded no").length, 1);
  assert.equal(last.filter((event) => event === "accepted").length, MAX_INSTANCES - 1);
});

test("the end of one process does not touch the calls of the others", async () => {
  const { server, pipes } = holding();
  const plain = begin(server);
  const own = begin(server, { capabilities: ELICITATION });
  await settled();
  pipes.find((pipe) => told(pipe) !== undefined && JSON.stringify(told(pipe)) === "{}")?.end();
  await settled();
  assert.deepEqual(plain.events, ["accepted", "failed server_crashed unknown"]);
  assert.deepEqual(own.events, ["accepted"]);
});

/** A server that shows "ask" only to clients that can be asked. */
const choosy = (): Behaviour => {
  let names = ["echo"];
  return wellBehaved([], {
    initialize: ({ id, params }, pipe) => {
      if (JSON.stringify(params?.["capabilities"]) !== "{}") names = ["ask", "echo"];
      pipe.say({ id, result: { protocolVersion: "2025-11-25", capabilities: { tools: {} } } });
    },
    "tools/list": ({ id }, pipe) => pipe.say({ id, result: { tools: names.map(tool) } }),
  });
};

test("everybody sees all tools, and who lacks what one needs is told so before anything runs", async () => {
  const { server, pipes } = openServer({ behave: choosy });
  await server.start();
  assert.deepEqual(server.lists?.tools.map(({ key }) => key), ["ask", "echo"]);
  const lacking = begin(server, { params: '{"name":"ask"}' });
  await settled();
  assert.deepEqual(lacking.events, [
    'failed missing_capability no {"requiredCapabilities":{"elicitation":{},"sampling":{},"roots":{}}}',
  ]);
  assert.deepEqual(pipes.flatMap(calls), []);
  const able = begin(server, { params: '{"name":"ask"}', capabilities: ELICITATION });
  await settled();
  assert.equal(able.events.at(-1), 'result {"content":[{"type":"text","text":"ask"}]}');
});

const undeclared: Array<[method: string, params: object, capabilities: object, missing: object]> = [
  ["elicitation/create", { message: "?" }, {}, { elicitation: {} }],
  ["elicitation/create", { mode: "url" }, ELICITATION, { elicitation: { url: {} } }],
  ["elicitation/create", { message: "?" }, { elicitation: { url: {} } }, { elicitation: {} }],
  ["sampling/createMessage", {}, ELICITATION, { sampling: {} }],
  ["sampling/createMessage", { tools: [] }, { sampling: {} }, { sampling: { tools: {} } }],
  ["roots/list", {}, { sampling: {} }, { roots: {} }],
];

for (const [method, params, capabilities, missing] of undeclared) {
  const can = JSON.stringify(capabilities);
  test(`${method} to a client of ${can} ends the call with what it lacks`, async () => {
    const { server, pipes } = openServer({
      behave: () =>
        wellBehaved(["echo"], { "tools/call": (_, pipe) => pipe.say({ id: "q", method, params }) }),
    });
    const { events } = begin(server, { capabilities: capabilities as Record<string, unknown> });
    await settled();
    assert.deepEqual(events, [
      "accepted",
      `failed missing_capability unknown ${JSON.stringify({ requiredCapabilities: missing })}`,
    ]);
    const pipe = pipes.find((each) => calls(each).length > 0);
    const answer = pipe?.received().find(({ id }) => id === "q" as unknown as number);
    assert.equal((answer?.error as { code: number } | undefined)?.code, -32601);
    assert.equal(pipe?.received("notifications/cancelled").length, 1);
  });
}

test("with several calls in flight nobody is blamed for what a server asks: it is refused", async () => {
  const { server, pipes } = holding();
  const begun = [begin(server), begin(server)];
  await settled();
  pipes[0]?.say({ id: 5, method: "roots/list" });
  assert.deepEqual(pipes[0]?.received().at(-1)?.error, {
    code: -32601,
    message: "Method not found",
  });
  assert.deepEqual(begun.map(({ events }) => events), [["accepted"], ["accepted"]]);
});

test("a server that asks while nobody calls is told that there are no roots, and nothing else", async () => {
  const { server, pipes } = openServer();
  await server.start();
  const [plain, listing] = pipes as readonly [Pipe, Pipe];
  for (const pipe of [plain, listing]) {
    pipe.say({ id: 1, method: "roots/list" });
    pipe.say({ id: 2, method: "elicitation/create", params: {} });
    pipe.say({ id: 3, method: "ping" });
  }
  const outcomes = [plain, listing].map((pipe) =>
    pipe.received().slice(-3).map(({ result, error }) => result ?? typeof error)
  );
  assert.deepEqual(outcomes, [["object", "object", {}], [{ roots: [] }, "object", {}]]);
});

test("a server that asks for roots as soon as it is initialized is answered then", async () => {
  const { server, pipes } = openServer({
    behave: () =>
      wellBehaved(["echo"], {
        "notifications/initialized": (_, pipe) => pipe.say({ id: "early", method: "roots/list" }),
      }),
  });
  await server.start();
  const answers = pipes.map(({ lines }) => lines.find((line) => line.includes('"early"')));
  assert.match(answers[0] ?? "", /"error"/);
  assert.match(answers[1] ?? "", /"result":\{"roots":\[\]\}/);
});

test("a server that cannot be started for one purpose serves the others", async () => {
  const { server, log } = openServer({
    behave: () =>
      wellBehaved(["echo"], {
        initialize: ({ id, params }, pipe) => {
          if (JSON.stringify(params?.["capabilities"]) !== "{}") pipe.end({ code: 3 });
          pipe.say({ id, result: { protocolVersion: "2025-11-25", capabilities: { tools: {} } } });
        },
      }),
  });
  await server.start();
  assert.deepEqual(server.lists?.tools.map(({ key }) => key), ["echo"]);
  assert.equal(log.length, 1);
  const { events } = begin(server);
  await settled();
  assert.equal(events.length, 2);
});

test("a tool that only one client's process shows is shown to all as long as it lives", async () => {
  const { server, pipes, clock } = openServer({
    behave: () => {
      const names = ["echo"];
      return wellBehaved([], {
        "tools/list": ({ id }, pipe) => pipe.say({ id, result: { tools: names.map(tool) } }),
        "tools/call": ({ id }, pipe) => {
          names.push("grown");
          pipe.say({ id, result: {} });
          pipe.say({ method: "notifications/tools/list_changed" });
        },
      });
    },
  });
  begin(server, { capabilities: ELICITATION });
  await settled();
  clock.advance(RELIST_DELAY_MS);
  await settled();
  const keys = () => server.lists?.tools.map(({ key }) => key);
  assert.deepEqual(keys(), ["echo", "grown"]);
  pipes.find((pipe) => calls(pipe).length > 0)?.end();
  await settled();
  assert.deepEqual(keys(), ["echo"]);
});
