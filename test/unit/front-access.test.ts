import assert from "node:assert/strict";
import { test } from "node:test";
import { newJoinCode } from "../../worker/access/join-code.ts";
import { createTunnelToken } from "../../worker/access/ledger.ts";
import { messageOf, modern, startWorkerInMemory, type TestWorker } from "../support/home.ts";

interface Sent {
  readonly token?: string;
  readonly body?: unknown;
}

/** Sends a request to the owner's routes; a body that is no text is written as JSON. */
async function send(worker: TestWorker, method: string, path: string, { token, body }: Sent = {}) {
  return await worker.request(path, {
    method,
    headers: {
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
      ...(body !== undefined && { "content-type": "application/json" }),
    },
    ...(body !== undefined && { body: typeof body === "string" ? body : JSON.stringify(body) }),
  });
}

async function joinCode({ store, clock }: TestWorker): Promise<string> {
  return (await newJoinCode(store, { tunnel: "default", now: () => clock.now() })).code;
}

async function idsOf(worker: TestWorker, token: string): Promise<readonly string[]> {
  const response = await send(worker, "GET", "/api/tokens", { token });
  return (await response.json() as { tokens: Array<{ id: string }> }).tokens.map(({ id }) => id);
}

test("a join code gives one machine a tunnel token, once, that nobody may store on the way", async () => {
  const worker = startWorkerInMemory();
  const body = { code: await joinCode(worker), machine: "ada-laptop" };
  const response = await send(worker, "POST", "/join", { body });
  assert.equal(response.status, 200);
  assert.equal(response.headers.get("cache-control"), "no-store");
  const { token, tunnel } = await response.json() as { token: string; tunnel: string };
  assert.match(token, /^mcpr_tunnel_[\w-]{43}$/);
  assert.equal(tunnel, "default");
  await worker.runner({ token });
  const again = await send(worker, "POST", "/join", { body });
  assert.equal(again.status, 403);
  assert.deepEqual((await messageOf(again)).error?.data, { code: "join_code_invalid" });
});

test("five wrong codes lock the right one, with one and the same answer", async () => {
  const worker = startWorkerInMemory();
  const code = await joinCode(worker);
  const wrong = code === "BBBB-BBBB" ? "CCCC-CCCC" : "BBBB-BBBB";
  const answers = new Set<string>();
  for (const each of [wrong, wrong, wrong, wrong, wrong, code]) {
    const body = { code: each, machine: "x" };
    const response = await send(worker, "POST", "/join", { body });
    answers.add(`${response.status} ${await response.text()}`);
  }
  assert.equal(answers.size, 1);
});

const bodies: ReadonlyArray<readonly [why: string, body: unknown, status: number]> = [
  ["no JSON", "{", 400],
  ["a byte order mark", "\ufeff{}", 400],
  ["a list", [], 400],
  ["null", null, 400],
  ["nothing in it", {}, 400],
  ["a code that is a number", { code: 7, machine: "x" }, 400],
  ["a machine that is an object", { code: "BBBB-BBBB", machine: {} }, 400],
  ["a machine with control characters", { code: "BBBB-BBBB", machine: "a\u001b[2J" }, 400],
  ["a machine with an overlong name", { code: "BBBB-BBBB", machine: "x".repeat(65) }, 400],
  ["an overlong body", { code: "BBBB-BBBB", machine: "x".repeat(20_000) }, 413],
  ["deep nesting", "[".repeat(10_000), 400],
];

for (const [why, body, status] of bodies) {
  test(`joining with ${why} is answered ${status} and costs no code a try`, async () => {
    const worker = startWorkerInMemory();
    const code = await joinCode(worker);
    for (let n = 0; n < 6; n++) {
      const response = await send(worker, "POST", "/join", { body });
      assert.equal(response.status, status);
      assert.doesNotMatch(await response.text(), /\.ts|node:|Error:|\u001b/);
    }
    const good = await send(worker, "POST", "/join", { body: { code, machine: "x" } });
    assert.equal(good.status, 200);
  });
}

test("the owner makes a client's token, sees it listed, and ends it", async () => {
  const worker = startWorkerInMemory();
  await worker.runner({ tools: ["notes__read"] });
  const { id: own, token } = await worker.tunnelToken();
  const made = await send(worker, "POST", "/api/tokens", {
    token,
    body: { name: "ci", tools: ["notes__*"] },
  });
  assert.equal(made.status, 201);
  assert.equal(made.headers.get("cache-control"), "no-store");
  const { token: bearer, listed } = await made.json() as { token: string; listed: { id: string } };
  const client = { id: listed.id, token: bearer, worker };
  assert.equal((await modern(client, "tools/list")).status, 200);
  const ids = await idsOf(worker, token);
  assert.ok(ids.includes(own) && ids.includes(listed.id));
  const list = await send(worker, "GET", "/api/tokens", { token });
  assert.equal(list.headers.get("cache-control"), "no-store");
  assert.doesNotMatch(await list.text(), /mcpr_|digest/);

  const gone = await send(worker, "DELETE", `/api/tokens/${listed.id}`, { token });
  assert.equal(gone.status, 200);
  worker.clock.advance(2_000);
  assert.equal((await modern(client, "tools/list")).status, 401);
});

const requests: ReadonlyArray<readonly [why: string, body: unknown]> = [
  ["no JSON", "tools"],
  ["nothing in it", {}],
  ["no tools", { name: "ci" }],
  ["tools that are text", { name: "ci", tools: "*" }],
  ["an empty pattern", { name: "ci", tools: [""] }],
  ["an overlong pattern", { name: "ci", tools: ["x".repeat(129)] }],
  ["101 patterns", { name: "ci", tools: Array(101).fill("a") }],
  ["an empty name", { name: "", tools: ["*"] }],
  ["a name that moves the cursor", { name: "\u001b[A", tools: ["*"] }],
  ["an end in the past", { name: "ci", tools: ["*"], expiresAt: 1 }],
  ["an end that is text", { name: "ci", tools: ["*"], expiresAt: "soon" }],
];

for (const [why, body] of requests) {
  test(`a token with ${why} is not made`, async () => {
    const worker = startWorkerInMemory();
    const { id, token } = await worker.tunnelToken();
    const response = await send(worker, "POST", "/api/tokens", { token, body });
    assert.equal(response.status, 400);
    assert.doesNotMatch(await response.text(), /\.ts|node:|Error:|\u001b/);
    assert.deepEqual(await idsOf(worker, token), [id]);
  });
}

test("the owner of one tunnel neither sees nor ends the tokens of another", async () => {
  const worker = startWorkerInMemory();
  const now = () => worker.clock.now();
  const other = await createTunnelToken(worker.store, { tunnel: "other", name: "eve", now });
  const mine = await worker.tunnelToken();
  const client = await worker.client();
  assert.deepEqual(await idsOf(worker, other.bearer), [other.token.id]);
  for (const id of [mine.id, client.id]) {
    const stolen = await send(worker, "DELETE", `/api/tokens/${id}`, { token: other.bearer });
    const madeUp = await send(worker, "DELETE", "/api/tokens/0123456789ab", {
      token: other.bearer,
    });
    assert.equal(stolen.status, 404);
    assert.equal(await stolen.text(), await madeUp.text());
  }
  assert.equal((await modern(client, "tools/list")).status, 200);
});

for (const id of ["..%2Fclient%2Fx", "%00", "x".repeat(600), "%F0%9F%98%80", "__proto__", "%"]) {
  test(`the token id ${id.slice(0, 20)} is one that nobody has`, async () => {
    const worker = startWorkerInMemory();
    const { token } = await worker.tunnelToken();
    const response = await send(worker, "DELETE", `/api/tokens/${id}`, { token });
    assert.equal(response.status, 404);
    assert.deepEqual(worker.logged, []);
  });
}

test("a runner that leaves ends its own token and its tunnel", async () => {
  const worker = startWorkerInMemory();
  const runner = await worker.runner();
  assert.equal((await send(worker, "DELETE", "/join", { token: runner.token })).status, 200);
  assert.deepEqual(runner.closes.map(({ code }) => code), [4403]);
  const again = await send(worker, "GET", "/api/tokens", { token: runner.token });
  assert.equal(again.status, 403);
});

test("clients and strangers have no say in tokens", async () => {
  const worker = startWorkerInMemory();
  const { id, token } = await worker.client();
  const body = { name: "more", tools: ["*"] };
  for (const each of [token, "mcpr_tunnel_x", undefined]) {
    const auth = each === undefined ? {} : { token: each };
    const statuses = [
      await send(worker, "GET", "/api/tokens", auth),
      await send(worker, "POST", "/api/tokens", { ...auth, body }),
      await send(worker, "DELETE", `/api/tokens/${id}`, auth),
      await send(worker, "DELETE", "/join", auth),
    ].map(({ status }) => status);
    assert.deepEqual(statuses, [401, 401, 401, 401]);
  }
});
