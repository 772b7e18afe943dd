import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type FakeRunner,
  messageOf,
  mirrored,
  modern,
  MODERN_META,
  type ServerFacts,
  startWorkerInMemory,
} from "../support/home.ts";

type Params = Readonly<Record<string, unknown>>;

const NOTES: ServerFacts = {
  name: "notes",
  tools: ["notes__read"],
  prompts: ["notes__daily"],
  resources: ["notes://today"],
  templates: ["notes://day/{day}"],
};

/** Requests that a runner serves, and what each names. */
const requests: ReadonlyArray<readonly [method: string, params: Params]> = [
  ["tools/call", { name: "notes__read", arguments: { x: 1 } }],
  ["prompts/get", { name: "notes__daily", arguments: { day: "today" } }],
  ["resources/read", { uri: "notes://today" }],
  ["resources/read", { uri: "notes://day/7" }],
  ["resources/read", { uri: "notes://not-listed" }],
  ["completion/complete", { ref: { type: "ref/prompt", name: "notes__daily" }, argument: {} }],
  ["completion/complete", { ref: { type: "ref/resource", uri: "notes://day/{day}" } }],
  ["completion/complete", { ref: { type: "ref/resource", uri: "notes://today" } }],
  ["tasks/get", { taskId: "laptop.t-1" }],
  ["tasks/update", { taskId: "laptop.t-1", inputResponses: {} }],
  ["tasks/cancel", { taskId: "laptop.t-1" }],
];

/** The answer to a request that `runner` gets and answers with `result`. */
async function served(
  runner: FakeRunner,
  answer: Promise<Response>,
  result = "{}",
): Promise<unknown> {
  const { header } = await runner.next("call");
  runner.say({ type: "result", id: header.id }, result);
  return (await messageOf(await answer)).result;
}

for (const [method, params] of requests) {
  const what = `${method} of ${JSON.stringify(params)}`;

  test(`${what} goes to the runner as it came, and its result comes back`, async () => {
    const worker = startWorkerInMemory();
    await worker.runner({ id: "other", tools: ["git__log"] });
    const runner = await worker.runner({ id: "laptop", servers: [NOTES] });
    const meta = { traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01" };
    const answer = modern(await worker.client(), method, { ...params, x: 1, later: meta });
    const { header, payload } = await runner.next("call");
    assert.equal(header.method, method);
    const { _meta: _, ...sent } = JSON.parse(payload) as Params;
    assert.deepEqual(sent, { ...params, x: 1, later: meta });
    runner.say({ type: "result", id: header.id }, '{"resultType":"complete","y":1.0}');
    assert.equal(
      await (await answer).text(),
      '{"jsonrpc":"2.0","id":1,"result":{"resultType":"complete","y":1.0}}',
    );
  });

  test(`${what} is refused at once while its runner is away`, async () => {
    const worker = startWorkerInMemory();
    await worker.runner({ id: "other", tools: ["git__log"] });
    const away = await worker.runner({ id: "laptop", machine: "ada-laptop", servers: [NOTES] });
    away.lose();
    const { error } = await messageOf(await modern(await worker.client(), method, params));
    assert.equal(error?.data["code"], "runner_offline");
    assert.match(
      error?.message ?? "",
      /^Cannot (call|get|read|complete|update|cancel) the \w+: the runner on "ada-laptop" is not/,
    );
  });
}

/** What is refused to a client whose grant is `git__*`, as if it did not exist. */
const foreign: ReadonlyArray<readonly [method: string, params: Params, missing: Params]> = [
  ["prompts/get", { name: "notes__daily" }, { name: "notes__never" }],
  ["resources/read", { uri: "notes://today" }, { uri: "gone://today" }],
  ["resources/read", { uri: "notes://day/7" }, { uri: "gone://day/7" }],
  [
    "completion/complete",
    { ref: { type: "ref/prompt", name: "notes__daily" } },
    { ref: { type: "ref/prompt", name: "notes__never" } },
  ],
  [
    "completion/complete",
    { ref: { type: "ref/resource", uri: "notes://day/{day}" } },
    { ref: { type: "ref/resource", uri: "gone://day/{day}" } },
  ],
];

for (const [method, params, missing] of foreign) {
  test(`${method} of ${JSON.stringify(params)} outside the grant is answered as if nobody had it`, async () => {
    const worker = startWorkerInMemory();
    const runner = await worker.runner({ servers: [NOTES] });
    const client = await worker.client("git__*");
    const denied = await (await modern(client, method, params)).text();
    const unknown = await (await modern(client, method, missing)).text();
    assert.match(denied, /"code":-32602/);
    assert.equal(denied, unknown.replaceAll("gone:", "notes:").replace("never", "daily"));
    assert.deepEqual(runner.all("call"), []);
  });
}

test("a resource that nobody reads is unknown, with its URI", async () => {
  const worker = startWorkerInMemory();
  const runner = await worker.runner({ servers: [{ name: "git", tools: ["git__log"] }] });
  const response = await modern(await worker.client(), "resources/read", { uri: "notes://today" });
  assert.equal(response.status, 200);
  const { error } = await messageOf(response);
  assert.deepEqual([error?.code, error?.data["uri"]], [-32602, "notes://today"]);
  assert.deepEqual(runner.all("call"), []);
});

test("a resource is granted by the name of its server, before its URI", async () => {
  const worker = startWorkerInMemory();
  const runner = await worker.runner({ servers: [NOTES] });
  const grants: ReadonlyArray<readonly [pattern: string, uris: readonly string[]]> = [
    ["notes__*", ["notes://today", "notes://day/7", "notes://x"]],
    ["notes__notes://day/*", ["notes://day/7"]],
    ["notes__notes://today", ["notes://today"]],
    ["notes://*", []],
    ["git__*", []],
  ];
  for (const [pattern, granted] of grants) {
    const client = await worker.client(pattern);
    for (const uri of ["notes://today", "notes://day/7", "notes://x"]) {
      const answer = modern(client, "resources/read", { uri });
      if (granted.includes(uri)) await served(runner, answer);
      else assert.equal((await messageOf(await answer)).error?.code, -32602, `${pattern} ${uri}`);
    }
  }
});

test("of the runners that could read a resource, the one that lists it is asked, then one with a template", async () => {
  const worker = startWorkerInMemory();
  const reads = await worker.runner({ id: "a", servers: [{ name: "any", reads: true }] });
  const expands = await worker.runner({
    id: "b",
    servers: [{ name: "days", templates: ["notes://{day}"] }],
  });
  const lists = await worker.runner({
    id: "c",
    servers: [{ name: "today", resources: ["notes://today"] }],
  });
  const client = await worker.client();
  const read = (uri: string) => modern(client, "resources/read", { uri });
  await served(lists, read("notes://today"));
  await served(expands, read("notes://tomorrow"));
  await served(reads, read("notes://a/b"));
  lists.lose();
  const { error } = await messageOf(await read("notes://today"));
  assert.equal(error?.data["code"], "runner_offline", "others would only not know it");
});

test("of the servers that might have a resource, a runner may ask those that are granted", async () => {
  const worker = startWorkerInMemory();
  const servers = [{ name: "secret", reads: true }, { name: "mail", reads: true }, NOTES];
  const runner = await worker.runner({ servers });
  const grants: ReadonlyArray<readonly [tools: readonly string[], expected: unknown]> = [
    [["notes__*"], ["notes"]],
    [["notes__notes://*", "mail__*"], ["mail", "notes"]],
    [["mail__notes://*", "notes__x"], ["mail"]],
    [["*"], undefined],
    [["notes__*", "*"], undefined],
  ];
  const completion = { ref: { type: "ref/resource", uri: "notes://x" }, argument: {} };
  for (const [tools, expected] of grants) {
    const client = await worker.client(...tools);
    for (
      const [method, params] of [
        ["resources/read", { uri: "notes://x" }],
        ["completion/complete", completion],
      ] as const
    ) {
      const answer = modern(client, method, params);
      const { header } = await runner.next("call");
      assert.deepEqual(header.servers, expected);
      runner.say({ type: "result", id: header.id }, "{}");
      await messageOf(await answer);
    }
  }
  const nothing = await worker.client("git__*", "secret__z://*");
  const { error } = await messageOf(await modern(nothing, "resources/read", { uri: "notes://x" }));
  assert.equal(error?.code, -32602);
});

test("of a great many servers the frame names no more than its reader takes", async () => {
  const worker = startWorkerInMemory();
  const servers = Array.from({ length: 300 }, (_, n) => ({ name: `s-${n}`, reads: true }));
  const runner = await worker.runner({ servers });
  const answer = modern(await worker.client("s-*"), "resources/read", { uri: "x://1" });
  const { header } = await runner.next("call");
  assert.deepEqual(header.servers, servers.slice(0, 256).map(({ name }) => name));
  runner.say({ type: "result", id: header.id }, "{}");
  await messageOf(await answer);
});

test("what a list or a template says of a server counts for those who are granted it", async () => {
  const worker = startWorkerInMemory();
  const secret = { name: "secret", reads: true, templates: ["x://{y}"] };
  const first = await worker.runner({ id: "a", servers: [secret, { name: "mail", reads: true }] });
  const second = await worker.runner({ id: "b", servers: [{ ...NOTES, templates: ["x://{y}"] }] });
  const client = await worker.client("mail__*", "notes__*");
  await served(second, modern(client, "resources/read", { uri: "x://1" }));
  const answer = modern(await worker.client("mail__*"), "resources/read", { uri: "x://1" });
  const { header } = await first.next("call");
  assert.deepEqual(header.servers, ["mail"]);
  first.say({ type: "result", id: header.id }, "{}");
  await messageOf(await answer);
});

test("a server that is not up is left to its runner, for prompts and resources as for tools", async () => {
  const worker = startWorkerInMemory();
  const runner = await worker.runner({ servers: [{ name: "cold", listed: false }] });
  const client = await worker.client("cold__*");
  await served(runner, modern(client, "prompts/get", { name: "cold__any" }));
  await served(runner, modern(client, "resources/read", { uri: "any://thing" }));
});

const malformed: ReadonlyArray<readonly [method: string, params: Params]> = [
  ["prompts/get", {}],
  ["prompts/get", { name: 7 }],
  ["resources/read", {}],
  ["resources/read", { uri: ["notes://today"] }],
  ["resources/read", { uri: "x".repeat(9_000) }],
  ["completion/complete", {}],
  ["completion/complete", { ref: "notes__daily" }],
  ["completion/complete", { ref: { type: "ref/tool", name: "notes__read" } }],
  ["completion/complete", { ref: { type: "ref/prompt" } }],
  ["completion/complete", { ref: { type: "ref/resource", name: "notes__daily" } }],
  ["tasks/get", {}],
  ["tasks/cancel", { taskId: 7 }],
];

for (const [method, params] of malformed) {
  test(`${method} of ${JSON.stringify(params).slice(0, 60)} is refused in band`, async () => {
    const worker = startWorkerInMemory();
    const runner = await worker.runner({ servers: [NOTES] });
    const response = await modern(await worker.client(), method, params);
    assert.equal(response.status, 200);
    const text = await response.text();
    assert.match(text, /"code":-32602/);
    assert.ok(text.length < 1_000);
    assert.deepEqual(runner.all("call"), []);
  });
}

for (const taskId of ["laptop.t-1", "of-nobody", ""]) {
  test(`tasks/get of "${taskId}" by a client without the extension is refused for that`, async () => {
    const worker = startWorkerInMemory();
    const runner = await worker.runner({ id: "laptop", servers: [NOTES] });
    const params = { taskId, _meta: MODERN_META };
    const response = await modern(await worker.client(), "tasks/get", params);
    assert.equal(response.status, 400);
    const { error } = await messageOf(response);
    assert.equal(error?.code, -32021);
    assert.deepEqual(error.data["requiredCapabilities"], {
      extensions: { "io.modelcontextprotocol/tasks": {} },
    });
    assert.deepEqual(runner.all("call"), []);
  });
}

test("a retry goes to the runner whose question it answers, however busy that is", async () => {
  const worker = startWorkerInMemory();
  const a = await worker.runner({ id: "a", servers: [NOTES] });
  const b = await worker.runner({ id: "b", servers: [NOTES] });
  const client = await worker.client();
  for (const busy of [a, b, a]) {
    void modern(client, "tools/call", { name: "notes__read" });
    await busy.next("call");
  }
  for (const [method, params] of requests.slice(0, 3)) {
    for (const [runner, id] of [[a, "a"], [b, "b"]] as const) {
      const retry = { ...params, requestState: `${id}.signed`, inputResponses: {} };
      const answer = modern(client, method, retry);
      const result = '{"resultType":"input_required","requestState":"a.next"}';
      assert.deepEqual(await served(runner, answer, result), JSON.parse(result));
    }
  }
});

test("of two runners whose ids begin alike, a state belongs to the one that it names", async () => {
  const worker = startWorkerInMemory();
  const short = await worker.runner({ id: "a", servers: [NOTES] });
  const long = await worker.runner({ id: "a.b", servers: [NOTES] });
  const client = await worker.client();
  await served(long, modern(client, "tasks/get", { taskId: "a.b.t" }));
  await served(short, modern(client, "tasks/get", { taskId: "a.c.t" }));
});

const states: readonly unknown[] = ["", "x", "b", "b.x", "A.x", ".x", " a.x", 7, null, {}, ["a.x"]];

for (const state of states) {
  test(`a state ${JSON.stringify(state)} that no runner has given out is refused`, async () => {
    const worker = startWorkerInMemory();
    const runner = await worker.runner({ id: "a", servers: [NOTES] });
    const client = await worker.client();
    const retry = { name: "notes__read", requestState: state, inputResponses: {} };
    const { error } = await messageOf(await modern(client, "tools/call", retry));
    assert.deepEqual([error?.code, error?.data["code"]], [-32602, "state_invalid"]);
    if (typeof state === "string" && state !== "") {
      const headers = { "mcp-name": mirrored(state) };
      const get = await modern(client, "tasks/get", { taskId: state }, { headers });
      const unknown = (await messageOf(get)).error;
      assert.deepEqual([unknown?.code, unknown?.message], [-32602, "Unknown task"]);
    }
    assert.deepEqual(runner.all("call"), []);
  });
}

test("a state is no credential: what the retry names must be granted, at that very runner", async () => {
  const worker = startWorkerInMemory();
  const secret = { name: "secret", resources: ["shared://x"] };
  const runner = await worker.runner({ id: "a", servers: [NOTES, secret] });
  await worker.runner({ id: "b", servers: [{ name: "open", resources: ["shared://x"] }] });
  const client = await worker.client("open__*");
  const retries: ReadonlyArray<readonly [method: string, params: Params]> = [
    ["tools/call", { name: "notes__read", requestState: "a.x" }],
    ["resources/read", { uri: "shared://x", requestState: "a.x" }],
  ];
  for (const [method, params] of retries) {
    assert.equal((await messageOf(await modern(client, method, params))).error?.code, -32602);
  }
  assert.deepEqual(runner.all("call"), []);
});

test("after a restart, a state is known to belong to a runner that is away", async () => {
  const before = startWorkerInMemory();
  await before.runner({ id: "a", servers: [NOTES] });
  const client = await before.client();
  const worker = startWorkerInMemory({ store: before.store, clock: before.clock });
  const again = { ...client, worker };
  const retry = { name: "notes__read", requestState: "a.x" };
  const { error } = await messageOf(await modern(again, "tools/call", retry));
  assert.equal(error?.data["code"], "runner_offline");
  assert.equal(error.data["executed"], "unknown", "the rounds before it have run");
});
