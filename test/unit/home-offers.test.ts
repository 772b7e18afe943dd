import assert from "node:assert/strict";
import { test } from "node:test";
import {
  callTool,
  type Client,
  messageOf,
  modern,
  offerOf,
  offerOfRawTools,
  offerOfServers,
  startWorkerInMemory,
  type TestWorker,
} from "../support/home.ts";

async function listFor(client: Client): Promise<string> {
  const text = await (await modern(client, "tools/list")).text();
  return /"tools":(\[.*\]),"ttlMs"/s.exec(text)?.[1] ?? text;
}

/** The worker after a restart, with `client` at it. */
function restart({ store, clock }: TestWorker, client: Client): [TestWorker, Client] {
  const worker = startWorkerInMemory({ store, clock });
  return [worker, { ...client, worker }];
}

/** An offer of one tool whose description is `description`, as text. */
function describing(description: string): string {
  return offerOfRawTools("a", `[{"name":"a__b","description":${description}}]`);
}

/** An offer of one server, with one of its members changed. */
function changed(member: string, text: string): string {
  const offer = offerOfServers({ name: "a" });
  const now = offer.replace(member, () => text);
  assert.notEqual(now, offer);
  return now;
}

test("lists come from the stored offer after a restart, with no runner", async () => {
  const before = startWorkerInMemory();
  await before.runner({ tools: ["notes__read", "git__log"] });
  const [, client] = restart(before, await before.client("notes__*"));
  assert.equal(await listFor(client), '[{"name":"notes__read","inputSchema":{"type":"object"}}]');
});

test("a call after a restart names the machine that is away, at once", async () => {
  const before = startWorkerInMemory();
  await before.runner({ machine: "ada-laptop", tools: ["notes__read"] });
  const [worker, client] = restart(before, await before.client());
  worker.clock.advance(60_000);
  const { error } = await messageOf(await callTool(client, "notes__read"));
  assert.equal(error?.code, 1001);
  assert.match(error?.message ?? "", /"ada-laptop".*last seen 60 s ago.*npx mcp-runner connect/);
});

const offers: ReadonlyArray<readonly [why: string, description: string]> = [
  ["9,999 characters", `"${"x".repeat(9_999)}"`],
  ["100,000 characters", `"${"x".repeat(100_000)}"`],
  ["characters of four bytes across every boundary", `"${"😀".repeat(20_000)}"`],
  ["the same, shifted by one", `"x${"😀".repeat(20_000)}"`],
  ["escapes that are worst for the store", `"${'\\u0001\\\\\\"'.repeat(8_000)}"`],
  ["halves of surrogate pairs", `"${"\\ud800".repeat(9_000)}"`],
  ["characters that JSON would escape", `"${"\u007f\u2028".repeat(15_000)}"`],
  ["almost the longest that is kept", `"${"é".repeat(899_700)}"`],
];

for (const [why, description] of offers) {
  test(`an offer of ${why} survives a restart byte for byte`, async () => {
    const before = startWorkerInMemory();
    const runner = await before.runner();
    runner.say({ type: "offer", revision: 1 }, describing(description));
    const client = await before.client();
    const listed = await listFor(client);
    assert.equal(listed, `[{"name":"a__b","description":${description}}]`);
    const [, after] = restart(before, client);
    assert.equal(await listFor(after), listed);
  });
}

test("an offer too long to be kept is served while the worker lives", async () => {
  const before = startWorkerInMemory();
  const runner = await before.runner();
  const description = `"${"x".repeat(1_000_000)}"`;
  runner.say({ type: "offer", revision: 1 }, describing(description));
  const client = await before.client();
  assert.equal(await listFor(client), `[{"name":"a__b","description":${description}}]`);
  const [, after] = restart(before, client);
  assert.equal(await listFor(after), "[]");
});

test("a shorter offer leaves nothing of a longer one behind", async () => {
  const before = startWorkerInMemory();
  const runner = await before.runner();
  runner.say({ type: "offer", revision: 1 }, describing(`"${"old".repeat(20_000)}"`));
  runner.say({ type: "offer", revision: 2 }, describing('"new"'));
  const client = await before.client();
  assert.equal(await listFor(client), '[{"name":"a__b","description":"new"}]');
  assert.equal((await before.store.list("offer/default/", 1_000)).length, 1);
  const [, after] = restart(before, client);
  assert.equal(await listFor(after), '[{"name":"a__b","description":"new"}]');
});

const broken: ReadonlyArray<readonly [why: string, payload: string]> = [
  ["no payload", ""],
  ["text that is no JSON", "{servers"],
  ["a list", "[]"],
  ["a number", "7"],
  ["no servers", "{}"],
  ["servers that are an object", '{"servers":{}}'],
  ["a server that is no object", '{"servers":["a"]}'],
  ["a server without a name", changed('"name":"a",', "")],
  ["a server without a prefix", changed('"prefix":"a__",', "")],
  ["an overlong prefix", changed('"prefix":"a__"', `"prefix":"${"a".repeat(257)}"`)],
  ...["tools", "prompts", "resources", "resourceTemplates"].flatMap((list) =>
    [
      [`a server without ${list}`, changed(`"${list}":[]`, `"x":[]`)],
      [`${list} that are an object`, changed(`"${list}":[]`, `"${list}":{}`)],
    ] as const
  ),
  ["an illegal server name", changed('"name":"a"', '"name":"A"')],
  ["an overlong server name", changed('"name":"a"', `"name":"${"a".repeat(33)}"`)],
  ["a server name with a separator", changed('"name":"a"', '"name":"a__b"')],
  ["a repeated key", '{"servers":[],"servers":[]}'],
  ["513 levels", describing(`${"[".repeat(513)}${"]".repeat(513)}`)],
  ["a million empty tools", describing(`""}${",{}".repeat(1_000_000)},{"x":1`)],
];

for (const [why, payload] of broken) {
  test(`an offer with ${why} closes its tunnel with 4400 and hurts nobody else`, async () => {
    const worker = startWorkerInMemory();
    const other = await worker.runner({ id: "other", tools: ["git__log"] });
    const runner = await worker.runner({ id: "bad", tools: ["notes__read"] });
    const client = await worker.client();
    runner.say({ type: "offer", revision: 2 }, payload);
    assert.deepEqual(runner.closes.map(({ code }) => code), [4400]);
    assert.deepEqual(other.closes, []);
    assert.match(await listFor(client), /git__log.*notes__read/);
    const answer = callTool(client, "git__log");
    const { header } = await other.next("call");
    other.say({ type: "result", id: header.id }, "{}");
    assert.deepEqual((await messageOf(await answer)).result, {});
  });
}

test("a stored offer that cannot be read any more is left out, and the others stay", async () => {
  const before = startWorkerInMemory();
  await before.runner({ id: "bad-1", tools: ["notes__read"] });
  await before.runner({ id: "bad-2", tools: ["files__ls"] });
  await before.runner({ id: "good", tools: ["git__log"] });
  const client = await before.client();
  await listFor(client);
  await before.store.commit({
    set: [
      { key: "runner/default/bad-1", value: '{"machine":7}' },
      { key: "offer/default/bad-2/0", value: '"{\\"servers\\":"' },
    ],
  });
  const [worker, after] = restart(before, client);
  assert.equal(await listFor(after), '[{"name":"git__log","inputSchema":{"type":"object"}}]');
  assert.equal(worker.logged.filter(({ level }) => level === "error").length, 2);
});

test("a runner serves while the store is out of order, and is remembered once it works", async () => {
  const worker = startWorkerInMemory();
  const client = await worker.client();
  const session = await modern(client, "tools/list");
  assert.equal(session.status, 200);
  const { commit } = worker.store;
  worker.store.commit = () => Promise.reject(new Error("disk full"));
  const runner = await worker.runner({
    token: (await tokenWith(worker, commit)).token,
    tools: ["notes__read"],
  });
  const answer = callTool(client, "notes__read");
  const { header } = await runner.next("call");
  runner.say({ type: "result", id: header.id }, "{}");
  assert.deepEqual((await messageOf(await answer)).result, {});
  assert.ok(
    worker.logged.some(({ level, message }) => level === "error" && /runner/.test(message)),
  );

  worker.store.commit = commit;
  runner.say({ type: "offer", revision: 2 }, offerOf("notes__read"));
  await listFor(client);
  const [, after] = restart(worker, client);
  assert.match(await listFor(after), /notes__read/);
});

async function tokenWith(worker: TestWorker, commit: TestWorker["store"]["commit"]) {
  const broken = worker.store.commit;
  worker.store.commit = commit;
  const token = await worker.tunnelToken();
  worker.store.commit = broken;
  return token;
}
