import assert from "node:assert/strict";
import { test } from "node:test";
import {
  callTool,
  type FakeRunner,
  helloOf,
  messageOf,
  modern,
  startWorkerInMemory,
  type TestWorker,
  toolNamesIn,
} from "../support/home.ts";

const codes = (runner: FakeRunner) => runner.closes.map(({ code }) => code);

/** Ends the token `id` as its owner does. */
async function revoke(worker: TestWorker, id: string, owner: string): Promise<Response> {
  const headers = { authorization: `Bearer ${owner}` };
  return await worker.request(`/api/tokens/${id}`, { method: "DELETE", headers });
}

test("a runner that connects again supersedes its older connection with 4409", async () => {
  const worker = startWorkerInMemory();
  const older = await worker.runner({ tools: ["notes__read"] });
  const client = await worker.client();
  const inFlight = callTool(client, "notes__read");
  await older.next("call");
  const newer = await worker.runner({ token: older.token });
  assert.deepEqual(codes(older), [4409]);
  assert.equal((await messageOf(await inFlight)).error?.code, 1002);

  const answer = callTool(client, "notes__read");
  const { header } = await newer.next("call");
  newer.say({ type: "result", id: header.id }, "{}");
  assert.deepEqual((await messageOf(await answer)).result, {});
});

test("a superseded connection is not heard any more, and its late end changes nothing", async () => {
  const worker = startWorkerInMemory();
  const older = await worker.runner({ tools: ["notes__read"] });
  const newer = await worker.runner({ tools: ["git__log"] });
  older.offer("old__tool");
  older.lose(4409);
  const client = await worker.client();
  assert.deepEqual(await toolNamesIn(await modern(client, "tools/list")), ["git__log"]);
  const answer = callTool(client, "git__log");
  newer.say({ type: "result", id: (await newer.next("call")).header.id }, "{}");
  assert.equal((await answer).status, 200);
  assert.deepEqual(codes(newer), []);
});

test("runners with different ids stay side by side", async () => {
  const worker = startWorkerInMemory();
  const [a, b] = [await worker.runner({ id: "a" }), await worker.runner({ id: "b" })];
  assert.deepEqual([...codes(a), ...codes(b)], []);
});

test("a revoked token closes its open tunnel with 4403, ends its calls, and hurts no other", async () => {
  const worker = startWorkerInMemory();
  const [mine, other] = [await worker.tunnelToken(), await worker.tunnelToken()];
  const runner = await worker.runner({ id: "a", token: mine.token, tools: ["notes__read"] });
  const beside = await worker.runner({ id: "b", token: other.token, tools: ["git__log"] });
  const client = await worker.client();
  const inFlight = callTool(client, "notes__read");
  const { header } = await runner.next("call");
  assert.equal((await revoke(worker, mine.id, other.token)).status, 200);
  assert.deepEqual(codes(runner), [4403]);
  assert.deepEqual(codes(beside), []);
  const { error } = await messageOf(await inFlight);
  assert.deepEqual([error?.code, error?.data["executed"]], [1002, "unknown"]);

  // The revoked runner does not close, and goes on speaking.
  runner.say({ type: "result", id: header.id }, "{}");
  runner.offer("notes__read", "evil__tool");
  const { result } = await messageOf(await modern(client, "tools/list"));
  assert.doesNotMatch(JSON.stringify(result), /evil/);
  assert.equal((await messageOf(await callTool(client, "notes__read"))).error?.code, 1001);
});

test("a socket that was opened before its token was revoked cannot say hello after it", async () => {
  const worker = startWorkerInMemory();
  const [mine, owner] = [await worker.tunnelToken(), await worker.tunnelToken()];
  const runner = await worker.dial(mine.token);
  await revoke(worker, mine.id, owner.token);
  runner.say(helloOf());
  runner.offer("notes__read");
  assert.deepEqual(codes(runner), [4403]);
  assert.deepEqual(runner.all("welcome"), []);
  runner.say(helloOf());
  assert.deepEqual(runner.all("welcome"), []);
  assert.equal(worker.clock.pending, 0);
});

test("a revoked token opens no tunnel any more, not even in the same moment", async () => {
  const worker = startWorkerInMemory();
  const [mine, owner] = [await worker.tunnelToken(), await worker.tunnelToken()];
  await worker.runner({ token: mine.token });
  await revoke(worker, mine.id, owner.token);
  await assert.rejects(worker.dial(mine.token), /token_revoked/);
});

test("a worker that stops closes every tunnel with 4503 and ends what is in flight", async () => {
  const worker = startWorkerInMemory();
  const runners = [
    await worker.runner({ id: "a", tools: ["notes__read"] }),
    await worker.runner({ id: "b", tools: ["git__log"] }),
  ];
  const answer = callTool(await worker.client(), "git__log");
  await runners[1]?.next("call");
  worker.drain();
  assert.deepEqual(runners.map(codes), [[4503], [4503]]);
  assert.equal((await messageOf(await answer)).error?.code, 1002);
});
