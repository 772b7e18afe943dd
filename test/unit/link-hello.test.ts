import assert from "node:assert/strict";
import { test } from "node:test";
import {
  callTool,
  type FakeRunner,
  helloOf,
  messageOf,
  offerOf,
  startWorkerInMemory,
  type TestWorker,
} from "../support/home.ts";

async function dial(worker: TestWorker = startWorkerInMemory()): Promise<FakeRunner> {
  return await worker.dial((await worker.tunnelToken()).token);
}

const codes = (runner: FakeRunner) => runner.closes.map(({ code }) => code);

test("a hello is answered by one welcome that says what the worker wants", async () => {
  const runner = await dial();
  runner.say(helloOf());
  const { header } = await runner.next("welcome");
  const { link, ...rest } = header;
  assert.match(link, /^[0-9a-f-]{36}$/);
  assert.deepEqual(rest, {
    type: "welcome",
    tunnel: "default",
    features: [],
    heartbeatMs: 12_000,
    maxPayload: 10_485_760,
  });
  assert.equal(runner.sent.length, 1);
});

test("every link has a name of its own", async () => {
  const worker = startWorkerInMemory();
  const names = new Set<string>();
  for (let n = 0; n < 5; n++) {
    const runner = await worker.runner();
    names.add(runner.all("welcome")[0]?.header.link ?? "");
  }
  assert.equal(names.size, 5);
});

test("features that only the runner knows are not agreed to", async () => {
  const runner = await dial();
  runner.say({ ...helloOf(), features: ["chunks", "resume"] });
  assert.deepEqual((await runner.next("welcome")).header.features, []);
});

test("a socket that says nothing for 10 s is closed with 4400", async () => {
  const worker = startWorkerInMemory();
  const runner = await dial(worker);
  worker.clock.advance(9_999);
  assert.deepEqual(codes(runner), []);
  worker.clock.advance(1);
  assert.deepEqual(codes(runner), [4400]);
});

test("heartbeats before hello are answered, and do not hold the socket open", async () => {
  const worker = startWorkerInMemory();
  const runner = await dial(worker);
  for (let n = 0; n < 9; n++) {
    runner.text("p");
    worker.clock.advance(1_111);
  }
  assert.deepEqual([...new Set(runner.sent)], ["P"]);
  worker.clock.advance(1);
  assert.deepEqual(codes(runner), [4400]);
});

test("a welcome stops the clock of the hello", async () => {
  const worker = startWorkerInMemory();
  const runner = await worker.runner();
  worker.clock.advance(60_000);
  assert.deepEqual(codes(runner), []);
  assert.equal(worker.clock.pending, 0);
});

test("a socket that ends before its hello leaves no timer", async () => {
  const worker = startWorkerInMemory();
  (await dial(worker)).lose();
  assert.equal(worker.clock.pending, 0);
});

const { runner: info, ...hello } = helloOf();
const first: ReadonlyArray<readonly [why: string, message: string]> = [
  ["an empty message", ""],
  ["text that is no frame", "hello"],
  ["the heartbeat's answer", "P"],
  ["an offer", `{"type":"offer","revision":1}\n${offerOf("a__b")}`],
  ["a result", '{"type":"result","id":"x"}\n{}'],
  ["a frame of the worker", '{"type":"cancel","id":"x","reason":""}'],
  ["a type that nobody knows", '{"type":"credit"}'],
  ["a hello without a runner", JSON.stringify(hello)],
  ["a hello with an empty runner id", JSON.stringify({ ...hello, runner: { ...info, id: "" } })],
  [
    "a hello with an overlong machine",
    JSON.stringify({ ...hello, runner: { ...info, machine: "é".repeat(129) } }),
  ],
  ["a hello that takes no calls", JSON.stringify({ ...helloOf(), maxCalls: 0 })],
  ["a hello with 65 features", JSON.stringify({ ...helloOf(), features: Array(65).fill("x") })],
  ["an overlong hello", JSON.stringify({ ...helloOf(), later: "x".repeat(70_000) })],
];

for (const [why, message] of first) {
  test(`${why} as the first message closes with 4400, and a hello after it comes too late`, async () => {
    const worker = startWorkerInMemory();
    const runner = await dial(worker);
    runner.text(message);
    assert.deepEqual(codes(runner), [4400]);
    runner.say(helloOf());
    runner.offer("notes__read");
    const { error } = await messageOf(await callTool(await worker.client(), "notes__read"));
    assert.equal(error?.code, -32602, "nothing is offered");
    runner.lose();
    assert.equal(worker.clock.pending, 0);
  });
}

test("a hello after the deadline comes too late", async () => {
  const worker = startWorkerInMemory();
  const runner = await dial(worker);
  worker.clock.advance(10_000);
  runner.say(helloOf());
  runner.offer("notes__read");
  const { error } = await messageOf(await callTool(await worker.client(), "notes__read"));
  assert.equal(error?.code, -32602, "nothing is offered");
});

test("a second hello closes with 4400", async () => {
  const runner = await startWorkerInMemory().runner();
  runner.say(helloOf());
  assert.deepEqual(codes(runner), [4400]);
});

test("what a machine calls itself is shown with its control characters made visible", async () => {
  const worker = startWorkerInMemory();
  const machine = 'evil\u001b[2J\n\u202e"';
  const runner = await worker.runner({ machine, tools: ["notes__read"] });
  const client = await worker.client();
  const lost = callTool(client, "notes__read");
  await runner.next("call");
  runner.lose();
  for (const response of [await lost, await callTool(client, "notes__read")]) {
    const { message = "" } = (await messageOf(response)).error ?? {};
    assert.match(message, /evil/);
    assert.doesNotMatch(message, /[\u0000-\u001f\u202e]/);
  }
});
