import assert from "node:assert/strict";
import { test } from "node:test";
import { createClientToken } from "../../worker/access/ledger.ts";
import { DEFAULT_TUNNEL } from "../../worker/app.ts";
import {
  type Client,
  type FakeRunner,
  messageOf,
  modern,
  offerOfServers,
  piecesOf,
  type ServerFacts,
  startWorkerInMemory,
} from "../support/home.ts";
import { beat } from "../support/session.ts";
import { settled } from "../support/settled.ts";

const SUBSCRIPTION = "io.modelcontextprotocol/subscriptionId";
const ALL = { toolsListChanged: true, promptsListChanged: true, resourcesListChanged: true };

const NOTES: ServerFacts = {
  name: "notes",
  tools: ["notes__read"],
  prompts: ["notes__daily"],
  resources: ["notes://today"],
  templates: ["notes://day/{day}"],
};

interface Notification {
  readonly method?: string;
  readonly id?: unknown;
  readonly result?: unknown;
  readonly params?: {
    readonly uri?: string;
    readonly notifications?: unknown;
    readonly _meta?: Readonly<Record<string, unknown>>;
  };
}

/** A stream that a client listens to. */
interface Ear {
  readonly response: Response;
  /** The filter that was acknowledged. */
  readonly honoured: unknown;
  /** The next message; undefined once the stream has ended. */
  next(): Promise<Notification | undefined>;
  /** The text of the next message. */
  nextText(): Promise<string | undefined>;
  leave(): Promise<void>;
}

/** Opens a stream and reads the acknowledgement. */
async function listen(
  client: Client,
  notifications: Readonly<Record<string, unknown>>,
  { id = 1, signal }: { id?: unknown; signal?: AbortSignal } = {},
): Promise<Ear> {
  const response = await modern(client, "subscriptions/listen", { notifications }, {
    id,
    ...(signal && { signal }),
  });
  assert.equal(response.status, 200);
  const pieces = piecesOf(response);
  const nextText = async (): Promise<string | undefined> => {
    for (;;) {
      const piece = await pieces.next();
      if (piece === "") return undefined;
      const [, data] = /^event: message\ndata: ([^\n]*)\n\n$/.exec(piece) ?? [];
      if (data !== undefined) return data;
      assert.match(piece, /^: /);
    }
  };
  const next = async (): Promise<Notification | undefined> => {
    const text = await nextText();
    return text === undefined ? undefined : JSON.parse(text) as Notification;
  };
  const first = await next();
  assert.equal(first?.method, "notifications/subscriptions/acknowledged");
  assert.deepEqual(first.params?._meta, { [SUBSCRIPTION]: id });
  const honoured = first.params?.notifications;
  return { response, honoured, next, nextText, leave: pieces.leave };
}

test("a stream begins at once with what is honoured, before any runner is there", async () => {
  const worker = startWorkerInMemory();
  const { response, honoured } = await listen(await worker.client(), {
    ...ALL,
    resourceSubscriptions: ["notes://today"],
    taskIds: ["t"],
  }, { id: "listen-1" });
  assert.equal(response.headers.get("content-type"), "text/event-stream");
  assert.equal(response.headers.get("cache-control"), "no-store");
  assert.equal(response.headers.get("x-accel-buffering"), "no");
  assert.deepEqual(honoured, ALL);
});

const changes: ReadonlyArray<
  readonly [why: string, list: "tools" | "prompts" | "resources", now: Partial<ServerFacts>]
> = [
  ["another tool", "tools", { tools: ["notes__write"] }],
  ["a prompt less", "prompts", { prompts: [] }],
  ["a resource more", "resources", { resources: ["notes://today", "notes://tomorrow"] }],
  ["a template less", "resources", { templates: [] }],
];

for (const [why, list, now] of changes) {
  test(`${why} is told to those who listen to ${list}, and to nobody else`, async () => {
    const worker = startWorkerInMemory();
    const runner = await worker.runner({ servers: [NOTES] });
    const client = await worker.client();
    const kind = `${list}ListChanged` as const;
    const asked = [await listen(client, { [kind]: true }), await listen(client, ALL)];
    const others = [
      await listen(client, { ...ALL, [kind]: false }),
      await listen(client, { resourceSubscriptions: [] }),
    ];
    runner.offerServers({ ...NOTES, ...now });
    worker.drain();
    for (const ear of asked) {
      assert.equal((await ear.next())?.method, `notifications/${list}/list_changed`);
    }
    for (const ear of [...asked, ...others]) {
      assert.ok((await ear.next())?.result, "then the stream ends, with nothing before");
    }
  });
}

test("every message carries the id of its own subscription as it was written", async () => {
  const worker = startWorkerInMemory();
  const runner = await worker.runner({ servers: [NOTES] });
  const client = await worker.client();
  const ids = [0, "a", "ü\u2028", 9007199254740991];
  const ears = await Promise.all(ids.map((id) => listen(client, ALL, { id })));
  runner.offerServers({ ...NOTES, tools: [] });
  for (const [index, ear] of ears.entries()) {
    assert.deepEqual(await ear.next(), {
      jsonrpc: "2.0",
      method: "notifications/tools/list_changed",
      params: { _meta: { [SUBSCRIPTION]: ids[index] } },
    });
  }
});

test("an offer that changes nothing is told to nobody, unless a server said that it has", async () => {
  const worker = startWorkerInMemory();
  const runner = await worker.runner({ servers: [NOTES] });
  const ear = await listen(await worker.client(), ALL);
  runner.offerServers(NOTES);
  runner.lose();
  const back = await worker.runner({ servers: [NOTES] });
  back.say({ type: "offer", revision: 2, changed: ["prompts"] }, offerOfServers(NOTES));
  assert.equal((await ear.next())?.method, "notifications/prompts/list_changed");
});

test("a client hears of changes in what its own token grants", async () => {
  const worker = startWorkerInMemory();
  const runner = await worker.runner({ servers: [NOTES] });
  const ear = await listen(await worker.client("git__*", "notes__notes://*"), ALL);
  runner.offerServers({ ...NOTES, tools: ["notes__write"] });
  runner.offerServers({ ...NOTES, tools: ["notes__write"], prompts: [] });
  runner.offerServers({ ...NOTES, tools: ["notes__write"], prompts: [], resources: [] });
  assert.equal((await ear.next())?.method, "notifications/resources/list_changed");
  runner.offerServers({ name: "git", tools: ["git__log"] });
  const heard = new Set([(await ear.next())?.method, (await ear.next())?.method]);
  assert.ok(heard.has("notifications/resources/list_changed"));
  assert.ok(heard.has("notifications/tools/list_changed"));
});

/** Takes the listen call that `runner` gets next: its id, and the URIs that it asks for. */
async function listenCall(runner: FakeRunner): Promise<{ id: string; uris: readonly string[] }> {
  const { header, payload } = await runner.next("call");
  assert.equal(header.method, "subscriptions/listen");
  assert.equal(header.deadlineMs, 86_400_000);
  runner.say({ type: "accepted", id: header.id });
  const { notifications } = JSON.parse(payload) as {
    notifications: { resourceSubscriptions: readonly string[] };
  };
  assert.deepEqual(Object.keys(notifications), ["resourceSubscriptions"]);
  return { id: header.id, uris: notifications.resourceSubscriptions };
}

/** The notification that a resource has changed, in a server's own spelling. */
const updated = (uri: string, meta = ""): string =>
  `{ "jsonrpc":"2.0","params":{"later":[1.0],"uri":"${uri}"${meta}},` +
  `"method":"notifications/resources/updated" }`;

test("updates of resources come from the runners that serve them, one call to each", async () => {
  const worker = startWorkerInMemory();
  const a = await worker.runner({ id: "a", servers: [NOTES] });
  const b = await worker.runner({
    id: "b",
    servers: [{ name: "git", resources: ["git://head", "git://tags"] }],
  });
  const uris = ["git://tags", "notes://today", "git://head", "notes://today", "notes://day/7"];
  const ear = await listen(await worker.client(), { resourceSubscriptions: uris });
  assert.deepEqual(ear.honoured, { resourceSubscriptions: [...new Set(uris)] });
  const [first, second] = [await listenCall(a), await listenCall(b)];
  assert.deepEqual(first.uris, ["notes://today", "notes://day/7"]);
  assert.deepEqual(second.uris, ["git://tags", "git://head"]);
  a.say({ type: "note", id: first.id }, updated("notes://today"));
  assert.equal(
    await ear.nextText(),
    `{"jsonrpc":"2.0","params":{"later":[1.0],"uri":"notes://today","_meta":{"${SUBSCRIPTION}":1}},` +
      `"method":"notifications/resources/updated"}`,
    "whole, and marked",
  );
  b.say({ type: "note", id: second.id }, updated("git://head", ',"_meta":{"x": 1.0}'));
  assert.match(
    await ear.nextText() ?? "",
    /"_meta":\{"x": 1\.0,"io\.modelcontextprotocol\/subscriptionId":1\}/,
  );
  assert.deepEqual([a.all("call").length, b.all("call").length], [1, 1]);
});

test("nothing but updates of resources comes by the runner's call", async () => {
  const worker = startWorkerInMemory();
  const runner = await worker.runner({ servers: [NOTES] });
  const ear = await listen(await worker.client(), { resourceSubscriptions: ["notes://today"] });
  const { id } = await listenCall(runner);
  const others = [
    '{"jsonrpc":"2.0","method":"notifications/progress","params":{}}',
    '{"jsonrpc":"2.0","method":"notifications/message","params":{}}',
    '{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}',
    '{"jsonrpc":"2.0","id":1,"method":"notifications/resources/updated","params":{}}',
    '{"jsonrpc":"2.0","id":1,"method":"sampling/createMessage","params":{}}',
  ];
  for (const other of others) runner.say({ type: "note", id }, other);
  runner.say({ type: "note", id }, updated("notes://today"));
  assert.equal((await ear.next())?.params?.uri, "notes://today");
});

test("a resource outside the grant, or that nobody serves, is not acknowledged and not asked for", async () => {
  const worker = startWorkerInMemory();
  const runner = await worker.runner({ servers: [NOTES] });
  const ear = await listen(await worker.client("notes__notes://day/*"), {
    resourceSubscriptions: ["notes://today", "notes://day/1", "gone://x"],
  });
  assert.deepEqual(ear.honoured, { resourceSubscriptions: ["notes://day/1"] });
  assert.deepEqual((await listenCall(runner)).uris, ["notes://day/1"]);
});

test("a client that leaves is forgotten: its runner is told, and nothing is sent to it any more", async () => {
  const ways: ReadonlyArray<(ear: Ear, leave: AbortController) => unknown> = [
    (ear) => ear.leave(),
    (_, leave) => leave.abort(),
  ];
  for (const way of ways) {
    const worker = startWorkerInMemory();
    const runner = await worker.runner({ servers: [NOTES] });
    const leave = new AbortController();
    const filter = { ...ALL, resourceSubscriptions: ["notes://today"] };
    const ear = await listen(await worker.client(), filter, { signal: leave.signal });
    const { id } = await listenCall(runner);
    await way(ear, leave);
    assert.equal((await runner.next("cancel")).header.id, id);
    runner.offerServers({ ...NOTES, tools: [] });
    await settled();
    assert.equal(runner.all("call").length, 1);
    assert.equal(worker.clock.pending, 0);
  }
});

test("a runner that comes back is asked again", async () => {
  const worker = startWorkerInMemory();
  const runner = await worker.runner({ servers: [NOTES] });
  const ear = await listen(await worker.client(), { resourceSubscriptions: ["notes://today"] });
  await listenCall(runner);
  runner.lose();
  await settled();
  worker.clock.advance(60_000);
  const back = await worker.runner();
  const { id, uris } = await listenCall(back);
  assert.deepEqual(uris, ["notes://today"]);
  assert.match(back.sent[0] ?? "", /"type":"welcome"/, "but welcomed first");
  back.say({ type: "note", id }, updated("notes://today"));
  assert.equal((await ear.next())?.params?.uri, "notes://today");
});

test("a runner that is away when a client begins to listen is asked once it is there", async () => {
  const worker = startWorkerInMemory();
  (await worker.runner({ servers: [NOTES] })).lose();
  const ear = await listen(await worker.client(), { resourceSubscriptions: ["notes://today"] });
  assert.deepEqual(ear.honoured, { resourceSubscriptions: ["notes://today"] });
  const { uris } = await listenCall(await worker.runner());
  assert.deepEqual(uris, ["notes://today"]);
});

test("a call that its runner ends is sent again after a while, as long as the client listens", async () => {
  const worker = startWorkerInMemory();
  const runner = await worker.runner({ servers: [NOTES] });
  const ear = await listen(await worker.client(), { resourceSubscriptions: ["notes://today"] });
  const ends = [
    (id: string) => runner.say({ type: "result", id }, '{"resultType":"complete"}'),
    (id: string) => runner.say({ type: "error", id }, '{"code":1003,"message":"no"}'),
    (id: string) =>
      runner.say({ type: "error", id, status: 400 }, '{"code":-32021,"message":"no"}'),
  ];
  for (const [n, end] of ends.entries()) {
    end((await listenCall(runner)).id);
    await settled();
    assert.equal(runner.all("call").length, n + 1, "not at once");
    worker.clock.advance(1_000);
  }
  const { id } = await listenCall(runner);
  await ear.leave();
  assert.equal((await runner.next("cancel")).header.id, id);
  assert.equal(worker.clock.pending, 0);
});

test("streams leave a runner half of the calls that it takes", async () => {
  const worker = startWorkerInMemory();
  const runner = await worker.runner({ maxCalls: 4, servers: [NOTES] });
  const client = await worker.client();
  for (let n = 0; n < 4; n++) {
    await listen(client, { resourceSubscriptions: ["notes://today"] }, { id: n });
  }
  await settled();
  assert.equal(runner.all("call").length, 2);
  const call = modern(client, "tools/call", { name: "notes__read" });
  await settled();
  const { header } = runner.all("call")[2] ?? {};
  assert.equal(header?.method, "tools/call");
  runner.say({ type: "result", id: header.id }, "{}");
  assert.deepEqual((await messageOf(await call)).result, {});
});

test("when the worker stops, each stream ends with a result", async () => {
  const worker = startWorkerInMemory();
  const runner = await worker.runner({ servers: [NOTES] });
  const filter = { resourceSubscriptions: ["notes://today"] };
  const ear = await listen(await worker.client(), filter, { id: "l" });
  const { id } = await listenCall(runner);
  worker.drain();
  const last = await ear.next();
  assert.equal(last?.id, "l");
  const { _meta, ...result } = last.result as { _meta: Record<string, unknown> };
  assert.deepEqual(result, { resultType: "complete" });
  assert.equal(_meta[SUBSCRIPTION], "l");
  assert.equal(await ear.next(), undefined);
  assert.equal((await runner.next("cancel")).header.id, id);
  assert.equal(worker.clock.pending, 0);
});

test("a client whose token is revoked hears no more, and others go on", async () => {
  const worker = startWorkerInMemory();
  const runner = await worker.runner({ servers: [NOTES] });
  const [client, other] = [await worker.client(), await worker.client()];
  const filter = { ...ALL, resourceSubscriptions: ["notes://today"] };
  const ear = await listen(client, filter);
  const { id } = await listenCall(runner);
  const going = await listen(other, ALL);
  const response = await worker.request(`/api/tokens/${client.id}`, {
    method: "DELETE",
    headers: { authorization: `Bearer ${runner.token}` },
  });
  assert.equal(response.status, 200);
  assert.ok((await ear.next())?.result);
  assert.equal(await ear.next(), undefined);
  assert.equal((await runner.next("cancel")).header.id, id);
  runner.offerServers({ ...NOTES, tools: [] });
  assert.equal((await going.next())?.method, "notifications/tools/list_changed");
});

test("a silent stream gets a comment every 3 s", async () => {
  const worker = startWorkerInMemory();
  const client = await worker.client();
  const response = await modern(client, "subscriptions/listen", { notifications: {} });
  const pieces = piecesOf(response);
  await pieces.next();
  assert.match(await pieces.next(), /"notifications":\{\}/);
  for (let n = 0; n < 3; n++) {
    worker.clock.advance(3_000);
    assert.match(await pieces.next(), /^: .+\n\n$/);
  }
});

test("a home has 256 streams at most; the next is refused in band", async () => {
  const worker = startWorkerInMemory();
  const client = await worker.client();
  const ears: Ear[] = [];
  for (let n = 0; n < 256; n++) ears.push(await listen(client, ALL, { id: n }));
  const refused = await modern(client, "subscriptions/listen", { notifications: ALL });
  assert.equal(refused.status, 200);
  assert.equal((await messageOf(refused)).error?.data["code"], "overloaded");
  await ears[0]?.leave();
  await (await listen(client, ALL)).leave();
});

const malformed: ReadonlyArray<readonly [why: string, params: Readonly<Record<string, unknown>>]> =
  [
    ["no filter", {}],
    ["a filter that is null", { notifications: null }],
    ["a filter that is a list", { notifications: ["tools"] }],
    ["a kind that is a text", { notifications: { toolsListChanged: "true" } }],
    ["resources that are a text", { notifications: { resourceSubscriptions: "notes://today" } }],
    ["a resource that is a number", { notifications: { resourceSubscriptions: [7] } }],
    ["an overlong resource", { notifications: { resourceSubscriptions: ["x".repeat(8_193)] } }],
    ["257 resources", {
      notifications: { resourceSubscriptions: Array.from({ length: 257 }, (_, n) => `a://${n}`) },
    }],
  ];

for (const [why, params] of malformed) {
  test(`a request to listen with ${why} is refused in band, before there is a stream`, async () => {
    const worker = startWorkerInMemory();
    const response = await modern(await worker.client(), "subscriptions/listen", params);
    assert.equal(response.status, 200);
    assert.equal(response.headers.get("content-type"), "application/json");
    assert.equal((await messageOf(response)).error?.code, -32602);
    assert.equal(worker.clock.pending, 0);
  });
}

test("a stream ends well when its token expires", async () => {
  const worker = startWorkerInMemory();
  const runner = await worker.runner({ servers: [NOTES] });
  const hour = 3_600_000;
  const { bearer, token } = await createClientToken(worker.store, {
    tunnel: DEFAULT_TUNNEL,
    name: "ci",
    tools: ["*"],
    expiresAt: worker.clock.now() + 25 * hour,
    now: () => worker.clock.now(),
  });
  const client = { worker, id: token.id, token: bearer };
  const ear = await listen(client, { resourceSubscriptions: ["notes://today"] }, { id: "l" });
  const left = await listen(client, ALL);
  await left.leave();
  await listenCall(runner);
  beat(runner, worker.clock, 25 * hour - 1);
  runner.offerServers({ ...NOTES, resources: ["notes://today", "notes://new"] });
  assert.equal(runner.all("cancel").length, 1, "the one that a day of listening ends");
  const { header } = await runner.next("call");
  worker.clock.advance(1);
  const last = await ear.next();
  assert.equal(last?.id, "l");
  assert.equal((last.result as { resultType?: string }).resultType, "complete");
  assert.equal(await ear.next(), undefined);
  assert.equal(runner.all("cancel").at(-1)?.header.id, header.id);
  assert.equal(worker.clock.pending, 0);
});

test("a token that was revoked opens no stream, though the front door still believes in it", async () => {
  const worker = startWorkerInMemory();
  const runner = await worker.runner({ servers: [NOTES] });
  const client = await worker.client();
  await (await listen(client, ALL)).leave();
  await worker.request(`/api/tokens/${client.id}`, {
    method: "DELETE",
    headers: { authorization: `Bearer ${runner.token}` },
  });
  const response = await modern(client, "subscriptions/listen", { notifications: ALL });
  assert.equal(response.status, 401);
  assert.match(response.headers.get("www-authenticate") ?? "", /^Bearer /);
  assert.equal((await messageOf(response)).error?.data["code"], "unauthorized");
});

test("a runner is told for each resource which servers its listener may reach", async () => {
  const worker = startWorkerInMemory();
  const runner = await worker.runner({
    servers: [{ name: "mail", reads: true }, { name: "notes", reads: true }],
  });
  const client = await worker.client("mail__*", "notes__notes://*");
  const uris = ["notes://a", "mail://b", "notes://c"];
  const ear = await listen(client, { resourceSubscriptions: uris });
  assert.deepEqual(ear.honoured, { resourceSubscriptions: uris });
  await settled();
  const calls = runner.all("call").map(({ header: { servers }, payload }) => {
    const { notifications } = JSON.parse(payload) as Record<string, Record<string, unknown>>;
    return [servers, notifications?.["resourceSubscriptions"]];
  });
  assert.deepEqual(calls, [
    [["mail", "notes"], ["notes://a", "notes://c"]],
    [["mail"], ["mail://b"]],
  ]);
  await ear.leave();
});
