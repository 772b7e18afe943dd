/** What legacy servers say in another way than MCP 2026-07-28: errors, pages to visit, log messages. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { begin } from "../support/exchange.ts";
import { type Behaviour, type Pipe, silent, wellBehaved } from "../support/pipe.ts";
import { openServer } from "../support/server.ts";
import { settled } from "../support/settled.ts";

const URLS = { elicitation: { url: {} } };

/** A server that answers this method in this way. */
function answering(method: string, behaviour: Behaviour) {
  return openServer({ behave: () => wellBehaved(["echo"], { [method]: behaviour }) });
}

function failing(error: object): Behaviour {
  return ({ id }, pipe) => pipe.say({ id, error: { message: "no", ...error } });
}

const notFound: Array<[what: string, error: object, expected: object]> = [
  ["without data", { code: -32002 }, { code: -32602, data: { uri: "x://a" } }],
  [
    "with data of its own",
    { code: -32002, data: { uri: "x://b", more: 1 } },
    { code: -32602, data: { uri: "x://b", more: 1 } },
  ],
  ["that is another error", { code: -32603 }, { code: -32603 }],
];

for (const [what, error, expected] of notFound) {
  test(`a resource that is not found ${what} is told of in today's codes`, async () => {
    const { server } = answering("resources/read", failing(error));
    const { events } = begin(server, { method: "resources/read", params: '{"uri":"x://a"}' });
    await settled();
    const told: unknown = JSON.parse(events.at(-1)?.slice("error ".length) ?? "");
    assert.deepEqual(told, { message: "no", ...expected });
  });
}

test("the code of a missing resource means nothing for a tool", async () => {
  const { server } = answering("tools/call", failing({ code: -32002 }));
  const { events } = begin(server);
  await settled();
  assert.equal(events.at(-1), 'error {"message":"no","code":-32002}');
});

const PAGE = { mode: "url", url: "https://x.test/", message: "Sign in", elicitationId: "e1" };

/** A server that wants a page visited before the first call that it carries out. */
function gated() {
  let visited = false;
  return answering("tools/call", ({ id }, pipe) => {
    if (visited) pipe.say({ id, result: {} });
    else failing({ code: -32042, data: { elicitations: [PAGE] } })({ ...(id && { id }) }, pipe);
    visited = true;
  });
}

test("pages to visit are asked of a modern client, which then calls again", async () => {
  const { server } = gated();
  const first = begin(server, { capabilities: URLS });
  await settled();
  const { state, inputRequests } = first.question();
  const { elicitationId: _, ...shown } = PAGE;
  assert.deepEqual(inputRequests, {
    "elicitation-1": { method: "elicitation/create", params: shown },
  });
  const responses = { "elicitation-1": { action: "accept" } };
  const second = begin(server, { capabilities: URLS, input: { state, responses } });
  await settled();
  assert.deepEqual(second.events, ["accepted", "result {}"]);
});

test("a call is not sent again when its user has not visited the page", async () => {
  const { server, pipes } = gated();
  const first = begin(server, { capabilities: URLS });
  await settled();
  const responses = { "elicitation-1": { action: "decline" } };
  const second = begin(server, {
    capabilities: URLS,
    input: { state: first.question().state, responses },
  });
  await settled();
  assert.deepEqual(second.events, ["failed invalid_params no"]);
  assert.equal(pipes.flatMap((pipe) => pipe.received("tools/call")).length, 1);
});

test("a modern client that can show no pages is told that it lacks that", async () => {
  const { server } = gated();
  const { events } = begin(server, { capabilities: { elicitation: {} } });
  await settled();
  assert.deepEqual(events, [
    "accepted",
    'failed missing_capability unknown {"requiredCapabilities":{"elicitation":{"url":{}}}}',
  ]);
});

test("a client of 2025-11-25 gets the error for pages to visit as it is", async () => {
  const { server } = gated();
  const { events } = begin(server, { capabilities: URLS, version: "2025-11-25" });
  await settled();
  assert.deepEqual(JSON.parse(events.at(-1)?.slice("error ".length) ?? ""), {
    code: -32042,
    message: "no",
    data: { elicitations: [PAGE] },
  });
});

const COMPLETE = {
  jsonrpc: "2.0",
  method: "notifications/elicitation/complete",
  params: { elicitationId: "e1" },
};

for (const [version, count] of [["2025-11-25", 1], ["2026-07-28", 0]] as const) {
  test(`that a page was visited is told to a client of ${version} ${count} times`, async () => {
    const { server, pipes } = answering("tools/call", silent);
    const { events } = begin(server, { capabilities: URLS, version });
    await settled();
    pipes.find((pipe) => pipe.received("tools/call").length > 0)?.say(COMPLETE);
    const notes = events.filter((event) => event.startsWith("note"));
    assert.deepEqual(notes, Array(count).fill(`note ${JSON.stringify(COMPLETE)}`));
  });
}

/** A ready server that logs, and leaves calls to the test. */
async function logging(capabilities: object = { tools: {}, logging: {} }) {
  const bench = openServer({
    behave: () =>
      wellBehaved(["echo"], {
        "tools/call": silent,
        "logging/setLevel": ({ id }, pipe) => pipe.say({ id, result: {} }),
        initialize: ({ id }, pipe) =>
          pipe.say({ id, result: { protocolVersion: "2025-11-25", capabilities } }),
      }),
  });
  await bench.server.start();
  const [pipe] = bench.pipes as readonly [Pipe];
  const say = (level: unknown) => pipe.say({ method: "notifications/message", params: { level } });
  return { ...bench, pipe, say };
}

test("a server is told once to log everything, before the first call that wants messages", async () => {
  const { server, pipe } = await logging();
  begin(server);
  begin(server, { logLevel: "error" });
  begin(server, { logLevel: "debug" });
  const methods = pipe.received().slice(3).map(({ method }) => method);
  assert.deepEqual(methods, ["tools/call", "logging/setLevel", "tools/call", "tools/call"]);
  assert.deepEqual(pipe.received("logging/setLevel")[0]?.params, { level: "debug" });
});

test("a server that does not log is not told a level", async () => {
  const { server, pipe } = await logging({ tools: {} });
  begin(server, { logLevel: "debug" });
  assert.deepEqual(pipe.received("logging/setLevel"), []);
});

test("a caller gets the messages of its level and above, and nothing that is no message", async () => {
  const { server, say, pipe } = await logging();
  const { events } = begin(server, { logLevel: "warning" });
  for (const level of ["debug", "notice", "warning", "emergency", "loud", 7]) say(level);
  pipe.say({ method: "notifications/message" });
  assert.deepEqual(events.slice(1).map((event) => /"level":"(\w+)"/.exec(event)?.[1]), [
    "warning",
    "emergency",
  ]);
});

test("messages during several calls reach nobody, and the operator sees how many at the end", async () => {
  const { server, say, pipe, log } = await logging();
  const begun = [begin(server, { logLevel: "debug" }), begin(server, { logLevel: "debug" })];
  say("error");
  say("error");
  assert.deepEqual(begun.map(({ events }) => events), [["accepted"], ["accepted"]]);
  pipe.end({ code: 1 });
  await settled();
  assert.equal(log.at(-1)?.fields["droppedMessages"], 2);
});

test("messages outside of calls, or to a caller that wants none, reach nobody", async () => {
  const { server, say } = await logging();
  say("error");
  const { events } = begin(server);
  say("error");
  assert.deepEqual(events, ["accepted"]);
});
