import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type FakeRunner,
  type Message,
  messageOf,
  openSession,
  post,
  RESULT,
  type Session,
  startWorkerInMemory,
} from "../support/home.ts";
import { ASKABLE, eventsOf, NOTE, openSessionWith } from "../support/session.ts";
import { settled } from "../support/settled.ts";

interface Batching {
  readonly session: Session;
  readonly runner: FakeRunner;
}

async function start(): Promise<Batching> {
  const worker = startWorkerInMemory();
  const runner = await worker.runner({ tools: ["notes__read"] });
  const session = await openSessionWith(await worker.client(), ASKABLE, "2025-03-26");
  return { session, runner };
}

function send({ session }: { session: Session }, messages: readonly object[]): Promise<Response> {
  const body = JSON.stringify(messages.map((message) => ({ jsonrpc: "2.0", ...message })));
  return post(session.client, body, { headers: { "mcp-session-id": session.id } });
}

const CALL = { method: "tools/call", params: { name: "notes__read" } };

test("requests of a batch are answered in one array, whatever order they end in", async () => {
  const { session, runner } = await start();
  const answer = send({ session }, [
    { id: 1, ...CALL },
    { method: "notifications/x" },
    { id: 2, ...CALL },
    { id: "p", method: "ping" },
    { id: 3, method: "no/such" },
  ]);
  const [one, two] = [await runner.next("call"), await runner.next("call")];
  runner.say({ type: "result", id: two.header.id }, '{"n":2}');
  runner.say({ type: "result", id: one.header.id }, '{"n":1}');
  const response = await answer;
  assert.equal(response.headers.get("content-type"), "application/json");
  const messages = await response.json() as readonly Message[];
  const byId = new Map(messages.map((message) => [message.id, message]));
  assert.equal(messages.length, 4);
  assert.deepEqual(byId.get(1)?.result, { n: 1 });
  assert.deepEqual(byId.get(2)?.result, { n: 2 });
  assert.deepEqual(byId.get("p")?.result, {});
  assert.equal(byId.get(3)?.error?.code, -32601);
  assert.equal(session.client.worker.clock.pending, 0);
});

test("a batch becomes a stream when a server has something to say before the end", async () => {
  const { session, runner } = await start();
  const answer = send({ session }, [{ id: "p", method: "ping" }, { id: 1, ...CALL }, {
    id: 2,
    ...CALL,
  }]);
  const [one, two] = [await runner.next("call"), await runner.next("call")];
  await settled();
  runner.say({ type: "note", id: one.header.id }, NOTE);
  const events = eventsOf(await answer);
  assert.equal((await events.message()).id, "p", "what was done before comes first");
  assert.equal((await events.message()).method, "notifications/message");
  runner.say({ type: "result", id: two.header.id }, RESULT);
  assert.equal((await events.message()).id, 2);
  runner.say({ type: "result", id: one.header.id }, RESULT);
  assert.equal((await events.message()).id, 1);
  assert.equal(await events.next(), undefined);
});

test("answers to questions may come in a batch, beside requests", async () => {
  const { session, runner } = await start();
  const answer = send({ session }, [{ id: 1, ...CALL }]);
  const { header } = await runner.next("call");
  runner.say({ type: "result", id: header.id, resultType: "input_required" }, {
    inputRequests: { a: { method: "roots/list" } },
  });
  const events = eventsOf(await answer);
  const { id } = await events.message();
  const beside = await send({ session }, [{ id, result: { roots: [] } }, {
    id: 2,
    method: "ping",
  }]);
  assert.deepEqual(await beside.json(), [{ jsonrpc: "2.0", id: 2, result: {} }]);
  const next = await runner.next("call");
  const { inputResponses } = JSON.parse(next.payload) as Record<string, unknown>;
  assert.deepEqual(inputResponses, { a: { roots: [] } });
  runner.say({ type: "result", id: next.header.id }, RESULT);
  assert.equal((await events.message()).id, 1);
});

test("a batch of what has no answer is accepted", async () => {
  const { session } = await start();
  const response = await send({ session }, [
    { method: "notifications/initialized" },
    { id: 9, result: {} },
  ]);
  assert.equal(response.status, 202);
  assert.equal(await response.text(), "");
});

test("an initialize within a batch is refused", async () => {
  const { session } = await start();
  const params = { protocolVersion: "2025-03-26", capabilities: {} };
  const response = await send({ session }, [{ id: 1, method: "initialize", params }]);
  assert.equal(response.status, 400);
  assert.equal((await messageOf(response)).error?.code, -32600);
  assert.equal(response.headers.get("mcp-session-id"), null);
});

for (const version of ["2025-06-18", "2025-11-25"]) {
  test(`a session of ${version} has no batches`, async () => {
    const session = await openSession(await startWorkerInMemory().client(), version);
    const response = await send({ session }, [{ id: 1, method: "ping" }]);
    assert.equal(response.status, 400);
    assert.equal((await messageOf(response)).error?.code, -32600);
  });
}

test("a batch needs a session", async () => {
  const client = await startWorkerInMemory().client();
  const response = await post(client, '[{"jsonrpc":"2.0","id":1,"method":"ping"}]');
  assert.equal(response.status, 400);
  assert.equal((await messageOf(response)).error?.data["code"], "session_required");
});
