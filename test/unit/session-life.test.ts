import assert from "node:assert/strict";
import { test } from "node:test";
import {
  inSession,
  messageOf,
  openSession,
  RESULT,
  type Session,
  startWorkerInMemory,
} from "../support/home.ts";
import { ASKABLE, listen, openSessionWith, sendOf, startStream } from "../support/session.ts";
import { settled } from "../support/settled.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

async function statusOf(session: Session): Promise<number> {
  return (await inSession(session, "ping")).status;
}

async function end({ client, id }: Session): Promise<Response> {
  const headers = { authorization: `Bearer ${client.token}`, "mcp-session-id": id };
  return await client.worker.request("/mcp", { method: "DELETE", headers });
}

/** The session at a worker that was restarted over the same store. */
function restarted({ client, id }: Session): Session {
  const { store, clock } = client.worker;
  return { id, client: { ...client, worker: startWorkerInMemory({ store, clock }) } };
}

test("a request without a session is told to initialize", async () => {
  const client = await startWorkerInMemory().client();
  const response = await inSession({ client, id: "" }, "ping", {}, {
    headers: { "mcp-session-id": undefined },
  });
  assert.equal(response.status, 400);
  const { id, error } = await messageOf(response);
  assert.deepEqual([id, error?.code, error?.data["code"]], [1, -32600, "session_required"]);
  assert.match(error?.message ?? "", /initialize/);
});

/** What a forger may try with a session id that is good. */
const forgeries: ReadonlyArray<readonly [why: string, forge: (id: string) => string]> = [
  ["an empty id", () => ""],
  ["text that is no id", () => "nonsense"],
  ["an id of its body alone", (id) => id.split(".")[0] ?? ""],
  ["an id without a signature", (id) => `${id.split(".")[0]}.`],
  ["an id without a body", (id) => `.${id.split(".")[1]}`],
  ["an id with one more part", (id) => `${id}.x`],
  ["a cut signature", (id) => id.slice(0, -2)],
  ["a longer signature", (id) => `${id}AA`],
  ["another spelling of the signature's last bits", (id) => respell(id)],
  ["a padded signature", (id) => `${id}=`],
  ["the signature in the other alphabet", (id) => `${id.slice(0, -1)}+`],
  ["another letter in the body", (id) => `${id[0] === "e" ? "f" : "e"}${id.slice(1)}`],
  ["a body of somebody else's making", (id) => resign(id, { v: "2025-11-25", c: "x", t: 0 })],
  ["a body without a client", (id) => resign(id, {})],
  ["an overlong id", (id) => `${"A".repeat(5_000)}.${id.split(".")[1]}`],
  ["two ids", (id) => `${id}, ${id}`],
];

/** The same bytes in base64url with other unused bits at the end. */
function respell(id: string): string {
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  const last = alphabet.indexOf(id.slice(-1));
  return id.slice(0, -1) + alphabet[last % 4 === 3 ? last - 1 : last + 1];
}

/** Another body before the same signature. */
function resign(id: string, state: object): string {
  return `${btoa(JSON.stringify(state)).replaceAll("=", "")}.${id.split(".")[1]}`;
}

for (const [why, forge] of forgeries) {
  test(`${why} is a session that does not exist: 404`, async () => {
    const session = await openSession(await startWorkerInMemory().client());
    const forged = { ...session, id: forge(session.id) };
    const response = await inSession(forged, "ping");
    assert.equal(response.status, 404);
    const { id, error } = await messageOf(response);
    assert.deepEqual([id, error?.code, error?.data["code"]], [1, -32600, "session_unknown"]);
    assert.equal(await statusOf(session), 200, "the good one still is good");
    assert.equal((await end(forged)).status, 404);
    assert.deepEqual(session.client.worker.logged, []);
  });
}

test("a session opened by another client does not exist, and is answered alike", async () => {
  const worker = startWorkerInMemory();
  const [mine, other] = [await worker.client(), await worker.client()];
  const session = await openSession(mine);
  assert.equal(await statusOf(session), 200);
  const stolen = await inSession({ ...session, client: other }, "ping");
  const forged = await inSession({ id: "nonsense", client: other }, "ping");
  assert.equal(stolen.status, 404);
  assert.equal(await stolen.text(), await forged.text());
  assert.equal((await end({ ...session, client: other })).status, 404);
  assert.equal(await statusOf(session), 200, "and is not ended by another");
});

test("a session of another worker does not exist", async () => {
  const session = await openSession(await startWorkerInMemory().client());
  const client = await startWorkerInMemory().client();
  assert.equal(await statusOf({ ...session, client }), 404);
});

test("a session survives restarts of its home", async () => {
  let session = await openSession(await startWorkerInMemory().client());
  for (let n = 0; n < 3; n++) {
    session = restarted(session);
    assert.equal(await statusOf(session), 200);
  }
});

test("a session ends after 7 days, used or not", async () => {
  const session = await openSession(await startWorkerInMemory().client());
  const { clock } = session.client.worker;
  for (let day = 0; day < 7; day++) {
    assert.equal(await statusOf(session), 200);
    clock.advance(DAY_MS);
  }
  assert.equal(await statusOf(session), 200);
  clock.advance(1);
  assert.equal(await statusOf(session), 404);
});

test("a session that its client ends is gone, also in another spelling and after a restart", async () => {
  const session = await openSession(await startWorkerInMemory().client());
  const beside = await openSession(session.client);
  const ended = await end(session);
  assert.equal(ended.status, 204);
  assert.equal(await ended.text(), "");
  for (const each of [session, { ...session, id: respell(session.id) }]) {
    assert.equal(await statusOf(each), 404);
    assert.equal(await statusOf(restarted(each)), 404);
  }
  assert.equal((await end(session)).status, 404);
  assert.equal(await statusOf(beside), 200);
});

test("an ended session stays ended however many ended after it", async () => {
  const first = await openSession(await startWorkerInMemory().client());
  const { client } = first;
  await end(first);
  const sessions = await Promise.all(Array.from({ length: 1_010 }, () => openSession(client)));
  await Promise.all(sessions.map(end));
  const all = [first, ...sessions];
  const after = restarted(first).client;
  const statuses = await Promise.all(all.map(({ id }) => statusOf({ id, client: after })));
  assert.deepEqual(new Set(statuses), new Set([404]));
});

test("a session that ends while it is being looked up stays ended", async () => {
  const session = restarted(await openSession(await startWorkerInMemory().client()));
  const looked = statusOf(session);
  await end(session);
  await looked;
  assert.equal(await statusOf(session), 404);
});

test("a session in use costs the store nothing", async () => {
  const session = restarted(await openSession(await startWorkerInMemory().client()));
  await statusOf(session);
  const { store } = session.client.worker;
  const before = { ...store.calls };
  for (let n = 0; n < 20; n++) await statusOf(session);
  assert.deepEqual(store.calls, before);
});

test("a DELETE without a session is told so", async () => {
  const { token, worker } = await startWorkerInMemory().client();
  const headers = { authorization: `Bearer ${token}` };
  assert.equal((await worker.request("/mcp", { method: "DELETE", headers })).status, 400);
});

for (const method of ["HEAD", "PUT", "PATCH"]) {
  test(`${method} is answered 405 and names the methods that are served`, async () => {
    const session = await openSession(await startWorkerInMemory().client());
    const { client, id } = session;
    const headers = { authorization: `Bearer ${client.token}`, "mcp-session-id": id };
    const response = await client.worker.request("/mcp", { method, headers });
    assert.equal(response.status, 405);
    assert.equal(response.headers.get("allow"), "POST, GET, DELETE, OPTIONS");
  });
}

test("a session that nobody uses for a day is gone", async () => {
  const session = await openSession(await startWorkerInMemory().client());
  const { clock } = session.client.worker;
  clock.advance(DAY_MS);
  assert.equal(await statusOf(session), 200);
  clock.advance(DAY_MS + 1);
  assert.equal(await statusOf(session), 404);
  assert.equal(await statusOf(session), 404, "and does not come back by being asked for");
});

test("use keeps a session, also if its home restarts, for a store that hears of it hourly", async () => {
  let session = await openSession(await startWorkerInMemory().client());
  const { clock, store } = session.client.worker;
  const before = store.calls.commit;
  for (let hour = 0; hour < 72; hour++) {
    clock.advance(HOUR_MS / 2);
    assert.equal(await statusOf(session), 200);
    clock.advance(HOUR_MS / 2);
    assert.equal(await statusOf(session), 200);
    await settled();
  }
  assert.equal(store.calls.commit - before, 72);
  session = restarted(session);
  clock.advance(DAY_MS);
  assert.equal(await statusOf(session), 200);
  clock.advance(DAY_MS + HOUR_MS + 1);
  assert.equal(await statusOf(restarted(session)), 404);
});

test("a first use that the store has not heard of counts after a restart all the same", async () => {
  const session = await openSession(await startWorkerInMemory().client());
  const { clock } = session.client.worker;
  clock.advance(HOUR_MS - 1);
  assert.equal(await statusOf(session), 200);
  clock.advance(DAY_MS);
  assert.equal(await statusOf(restarted(session)), 200);
});

test("what a client set and can do survives a restart of the home", async () => {
  const long = { experimental: { x: { y: "ü".repeat(3_000) } }, sampling: {} };
  for (const capabilities of [ASKABLE, long]) {
    const worker = startWorkerInMemory();
    const session = await openSessionWith(await worker.client(), capabilities);
    await inSession(session, "logging/setLevel", { level: "error" });
    const after = restarted(session);
    const runner = await after.client.worker.runner({ tools: ["notes__read"] });
    const answer = inSession(after, "tools/call", { name: "notes__read" });
    const { header } = await runner.next("call");
    assert.equal(header.logLevel, "error");
    assert.deepEqual(
      header.clientCapabilities,
      capabilities === ASKABLE ? { ...ASKABLE, roots: {} } : capabilities,
    );
    runner.say({ type: "result", id: header.id }, RESULT);
    await answer;
  }
});

test("a store that fails for a moment ends no session", async () => {
  const worker = startWorkerInMemory();
  const session = await openSession(await worker.client());
  worker.clock.advance(2 * HOUR_MS);
  worker.store.commit = () => Promise.reject(new Error("disk full"));
  assert.equal(await statusOf(session), 200);
  await settled();
  assert.deepEqual(worker.logged.map(({ level }) => level), ["warn"]);
});

test("with the end of a session its calls are cancelled and its streams end", async () => {
  const worker = startWorkerInMemory();
  const runner = await worker.runner({ tools: ["notes__read"] });
  const session = await openSession(await worker.client());
  const standalone = await listen(session);
  const { events, callId } = await startStream(session, runner);
  const waiting = inSession(session, "tools/call", { name: "notes__read" }, { id: 2 });
  const second = (await runner.next("call")).header.id;
  assert.equal((await sendOf(session, "DELETE")).status, 204);
  const cancels = [await runner.next("cancel"), await runner.next("cancel")];
  assert.deepEqual(cancels.map(({ header }) => header.id), [callId, second]);
  assert.equal(cancels[0]?.header.reason, "The session has ended");
  assert.equal((await messageOf(await waiting)).error?.code, 1010);
  await events.message();
  assert.match((await events.message()).error?.message ?? "", /session has ended/);
  assert.equal(await events.next(), undefined);
  await standalone.next();
  assert.equal(await standalone.next(), undefined);
  assert.equal((await sendOf(session, "GET", { lastId: events.lastId })).status, 404);
  runner.say({ type: "result", id: callId }, RESULT);
  await settled();
  assert.equal(worker.clock.pending, 0);
});
