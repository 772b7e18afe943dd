import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type FakeRunner,
  inSession,
  messageOf,
  openSession,
  RESULT,
  type Session,
  startWorkerInMemory,
} from "../support/home.ts";

const NOTES = {
  name: "notes",
  tools: ["notes__read", "notes__write"],
  prompts: ["notes__sum"],
  resources: ["notes:///a"],
  templates: ["notes:///{id}"],
};

async function start(version?: string): Promise<{ session: Session; runner: FakeRunner }> {
  const worker = startWorkerInMemory({ pageLimits: { entries: 1, length: 1_000 } });
  const runner = await worker.runner({ servers: [NOTES] });
  return { runner, session: await openSession(await worker.client(), version) };
}

const lists: ReadonlyArray<readonly [method: string, member: string, key: string, all: string[]]> =
  [
    ["tools/list", "tools", "name", NOTES.tools],
    ["prompts/list", "prompts", "name", NOTES.prompts],
    ["resources/list", "resources", "uri", NOTES.resources],
    ["resources/templates/list", "resourceTemplates", "uriTemplate", NOTES.templates],
  ];

for (const [method, member, key, all] of lists) {
  test(`${method} is answered page by page, with what legacy revisions know`, async () => {
    const { session } = await start();
    const found: unknown[] = [];
    let cursor: unknown;
    do {
      const params = cursor === undefined ? {} : { cursor };
      const { result = {} } = await messageOf(await inSession(session, method, params));
      const { [member]: entries, nextCursor, ...rest } = result;
      assert.deepEqual(rest, {});
      found.push(...(entries as Array<Record<string, unknown>>).map((entry) => entry[key]));
      cursor = nextCursor;
    } while (cursor !== undefined);
    assert.deepEqual(found, all);
    const { error } = await messageOf(await inSession(session, method, { cursor: "x" }));
    assert.equal(error?.code, -32602);
  });
}

const relayed: ReadonlyArray<readonly [method: string, params: Record<string, unknown>]> = [
  ["tools/call", { name: "notes__read", arguments: { a: 1 } }],
  ["prompts/get", { name: "notes__sum", arguments: { of: "x" } }],
  ["resources/read", { uri: "notes:///a" }],
  ["resources/read", { uri: "notes:///b" }],
  ["completion/complete", {
    ref: { type: "ref/prompt", name: "notes__sum" },
    argument: { name: "of", value: "x" },
  }],
];

for (const [method, params] of relayed) {
  test(`${method} with ${JSON.stringify(params)} reaches a runner as it is`, async () => {
    const { session, runner } = await start("2025-06-18");
    const answer = inSession(session, method, params);
    const { header, payload } = await runner.next("call");
    assert.equal(header.method, method);
    assert.equal(header.protocolVersion, "2025-06-18");
    assert.equal(header.logLevel, "info");
    assert.deepEqual(header.caller, { client: session.client.id });
    assert.deepEqual(JSON.parse(payload), params);
    runner.say({ type: "result", id: header.id }, RESULT);
    assert.deepEqual((await messageOf(await answer)).result, JSON.parse(RESULT));
  });
}

test("a call before notifications/initialized is served: not every client waits", async () => {
  const { session } = await start();
  assert.equal((await inSession(session, "tools/list")).status, 200);
});

for (
  const level of ["debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"]
) {
  test(`the log level ${level} goes with every later call`, async () => {
    const { session, runner } = await start();
    const set = await messageOf(await inSession(session, "logging/setLevel", { level }));
    assert.deepEqual(set.result, {});
    const answer = inSession(session, "tools/call", { name: "notes__read" });
    const { header } = await runner.next("call");
    assert.equal(header.logLevel, level);
    runner.say({ type: "result", id: header.id }, RESULT);
    await answer;
  });
}

for (const params of [{}, { level: "loud" }, { level: 3 }, { level: "" }, { level: "__proto__" }]) {
  test(`logging/setLevel with ${JSON.stringify(params)} is refused`, async () => {
    const { session } = await start();
    const response = await inSession(session, "logging/setLevel", params);
    assert.equal(response.status, 200);
    assert.equal((await messageOf(response)).error?.code, -32602);
  });
}

test("a resource that is not there has the code that legacy revisions know", async () => {
  const { session, runner } = await start();
  const answer = inSession(session, "resources/read", { uri: "notes:///z" });
  const { header } = await runner.next("call");
  const error = { code: -32602, message: "Unknown", data: { uri: "notes:///z", more: [1] } };
  runner.say({ type: "error", id: header.id }, error);
  const response = await answer;
  assert.equal(response.status, 200);
  assert.deepEqual((await messageOf(response)).error, { ...error, code: -32002 });
});

test("so has one that the home itself knows not to be there", async () => {
  const worker = startWorkerInMemory();
  await worker.runner({ servers: [NOTES] });
  const session = await openSession(await worker.client("files__*"));
  const { error } = await messageOf(
    await inSession(session, "resources/read", { uri: "notes:///a" }),
  );
  assert.deepEqual([error?.code, error?.data["uri"]], [-32002, "notes:///a"]);
});

const untouched: ReadonlyArray<readonly [method: string, error: object]> = [
  ["resources/read", { code: -32602, message: "Bad", data: { n: 1 } }],
  ["resources/read", { code: -32602, message: "Bad" }],
  ["resources/read", { code: -32603, message: "Bad", data: { uri: "x" } }],
  ["resources/read", { code: -32602, message: "Bad", data: { uri: "x", y: "y".repeat(70_000) } }],
  ["tools/call", { code: -32602, message: "Bad", data: { uri: "x" } }],
  ["tools/call", { code: -32042, message: "Sign in", data: { elicitations: [] } }],
];

for (const [method, error] of untouched) {
  test(`the error ${JSON.stringify(error).slice(0, 80)} of ${method} is passed on as it is`, async () => {
    const { session, runner } = await start();
    const params = method === "tools/call" ? { name: "notes__read" } : { uri: "notes:///a" };
    const answer = inSession(session, method, params);
    const { header } = await runner.next("call");
    runner.say({ type: "error", id: header.id, status: 400 }, error);
    const response = await answer;
    assert.equal(response.status, 200, "a refusal is in band");
    assert.deepEqual((await messageOf(response)).error, error);
  });
}

test("what a runner sends beside a result reaches the client only if it is a notification", async () => {
  const { session, runner } = await start();
  const answer = inSession(session, "tools/call", { name: "notes__read" });
  const { header } = await runner.next("call");
  runner.say({ type: "note", id: header.id }, '{"jsonrpc":"2.0","id":1,"result":{"forged":true}}');
  runner.say({ type: "note", id: header.id }, '{"jsonrpc":"2.0","id":1,"method":"roots/list"}');
  runner.say({ type: "result", id: header.id }, RESULT);
  assert.deepEqual((await messageOf(await answer)).result, JSON.parse(RESULT));
});
