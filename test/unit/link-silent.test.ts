import assert from "node:assert/strict";
import { test } from "node:test";
import { callTool, type FakeRunner, messageOf, startWorkerInMemory } from "../support/home.ts";

const codes = (runner: FakeRunner) => runner.closes.map(({ code }) => code);

test("every heartbeat of a runner is answered", async () => {
  const runner = await startWorkerInMemory().runner();
  for (let n = 0; n < 3; n++) runner.text("p");
  assert.deepEqual(runner.sent.slice(1), ["P", "P", "P"]);
});

test("a runner that is silent for 30 s during a call is dropped, and the call may have run", async () => {
  const worker = startWorkerInMemory();
  const runner = await worker.runner({ machine: "ada-laptop", tools: ["notes__read"] });
  const answer = callTool(await worker.client(), "notes__read");
  await runner.next("call");
  worker.clock.advance(29_999);
  assert.deepEqual(codes(runner), []);
  worker.clock.advance(5_001);
  assert.deepEqual(codes(runner), [4408]);
  const text = await (await answer).text();
  assert.match(text, /"code":1002,"message":"Lost the connection to the runner \\"ada-laptop\\"/);
  assert.match(text, /"executed":"unknown"/);
});

const signs: ReadonlyArray<readonly [why: string, give: (runner: FakeRunner) => void]> = [
  ["heartbeats", (runner) => runner.text("p")],
  ["replies to nothing", (runner) => runner.say({ type: "accepted", id: "x" })],
  ["frames that are not known", (runner) => runner.text('{"type":"later"}')],
  ["offers", (runner) => runner.offer("notes__read")],
];

for (const [why, give] of signs) {
  test(`a runner that gives ${why} is not silent, however long its call takes`, async () => {
    const worker = startWorkerInMemory();
    const runner = await worker.runner({ tools: ["notes__read"] });
    void callTool(await worker.client(), "notes__read");
    await runner.next("call");
    for (let n = 0; n < 20; n++) {
      worker.clock.advance(12_000);
      give(runner);
    }
    assert.deepEqual(codes(runner), []);
  });
}

test("an idle runner that fell silent is found at the next call, which is refused at once", async () => {
  const worker = startWorkerInMemory();
  const runner = await worker.runner({ tools: ["notes__read"] });
  worker.clock.advance(30_000);
  assert.deepEqual(codes(runner), [], "nobody has looked yet");
  const { error } = await messageOf(await callTool(await worker.client(), "notes__read"));
  assert.deepEqual([error?.code, error?.data["executed"]], [1001, "no"]);
  assert.deepEqual(codes(runner), [4408]);
  assert.deepEqual(runner.all("call"), []);
});

test("a call passes over a silent runner to one that lives", async () => {
  const worker = startWorkerInMemory();
  const silent = await worker.runner({ id: "a", tools: ["notes__read"] });
  worker.clock.advance(30_000);
  const lively = await worker.runner({ id: "b", tools: ["notes__read"] });
  const answer = callTool(await worker.client(), "notes__read");
  lively.say({ type: "result", id: (await lively.next("call")).header.id }, "{}");
  assert.deepEqual((await messageOf(await answer)).result, {});
  assert.deepEqual(codes(silent), [4408]);
});

test("a runner without calls costs no timer", async () => {
  const worker = startWorkerInMemory();
  const runner = await worker.runner({ tools: ["notes__read"] });
  assert.equal(worker.clock.pending, 0);
  const answer = callTool(await worker.client(), "notes__read");
  const { header } = await runner.next("call");
  assert.ok(worker.clock.pending > 0);
  runner.say({ type: "result", id: header.id }, "{}");
  await answer;
  assert.equal(worker.clock.pending, 0);
});

test("readiness asks a runner that lives, and says so only if it answers", async () => {
  const worker = startWorkerInMemory();
  const ready = async () => await (await worker.request("/readyz")).json() as { ready: boolean };
  assert.equal((await ready()).ready, false);
  await worker.runner({ id: "a" });
  worker.clock.advance(30_000);
  const runner = await worker.runner({ id: "b" });
  const asked = ready();
  const { header } = await runner.next("call");
  assert.equal(header.method, "ping");
  runner.say({ type: "result", id: header.id }, "{}");
  assert.deepEqual(await asked, { ready: true, reason: "A runner answers" });

  worker.clock.advance(1_001);
  const silent = worker.request("/readyz");
  await runner.next("call");
  worker.clock.advance(1_000);
  assert.equal((await silent).status, 503);
  assert.equal(runner.all("cancel").length, 1);
});

test("many who ask for readiness at once cost a runner one question", async () => {
  const worker = startWorkerInMemory();
  const runner = await worker.runner();
  const asked = Array.from({ length: 50 }, () => worker.request("/readyz"));
  const { header } = await runner.next("call");
  runner.say({ type: "result", id: header.id }, "{}");
  const statuses = (await Promise.all(asked)).map(({ status }) => status);
  assert.deepEqual(new Set(statuses), new Set([200]));
  assert.equal(runner.all("call").length, 1);
});
