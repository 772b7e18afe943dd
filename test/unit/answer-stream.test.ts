import assert from "node:assert/strict";
import { test } from "node:test";
import {
  callTool,
  type FakeRunner,
  inSession,
  messageOf,
  openSession,
  piecesOf,
  startWorkerInMemory,
  type TestWorker,
} from "../support/home.ts";

interface Call {
  readonly worker: TestWorker;
  readonly runner: FakeRunner;
  readonly id: string;
  readonly answer: Promise<Response>;
}

/** A call under way. */
async function startCall(accept = "application/json, text/event-stream"): Promise<Call> {
  const worker = startWorkerInMemory();
  const runner = await worker.runner({ tools: ["notes__read"] });
  const answer = callTool(await worker.client(), "notes__read", { headers: { accept } });
  const { header: { id } } = await runner.next("call");
  return { worker, runner, id, answer };
}

const PROGRESS = '{"jsonrpc":"2.0","method":"notifications/progress","params":{"progress":1}}';

/** The data of the events of a stream, read as the WHATWG standard says (HTML §9.2.6). */
function eventsOf(text: string): readonly string[] {
  const data: string[] = [];
  const fields: string[] = [];
  for (const line of text.split(/\r\n|\r|\n/)) {
    if (line === "") {
      const event = fields.splice(0).join("\n");
      // An event without data only says where the client is in a stream.
      if (event !== "") data.push(event);
    } else if (line.startsWith("data:")) fields.push(line.slice(5).replace(/^ /, ""));
    else assert.match(line, /^(?::|event: message$|id: |retry: )/);
  }
  assert.deepEqual(fields, [], "the stream ends after an event");
  return data;
}

test("a quick answer is plain JSON", async () => {
  const { worker, runner, id, answer } = await startCall();
  worker.clock.advance(749);
  runner.say({ type: "accepted", id });
  runner.say({ type: "result", id }, "{}");
  const response = await answer;
  assert.equal(response.headers.get("content-type"), "application/json");
  assert.deepEqual((await messageOf(response)).result, {});
});

test("an answer that takes longer becomes a stream, which a comment opens", async () => {
  const { worker, runner, id, answer } = await startCall();
  worker.clock.advance(750);
  const response = await answer;
  assert.equal(response.status, 200);
  assert.equal(response.headers.get("content-type"), "text/event-stream");
  assert.equal(response.headers.get("cache-control"), "no-store");
  assert.equal(response.headers.get("x-accel-buffering"), "no");
  const pieces = piecesOf(response);
  assert.match(await pieces.next(), /^: .+\n\n$/);
  runner.say({ type: "result", id }, '{"x":1}');
  assert.equal(
    await pieces.next(),
    'event: message\ndata: {"jsonrpc":"2.0","id":1,"result":{"x":1}}\n\n',
  );
  assert.equal(await pieces.next(), "", "and ends");
});

test("a silent stream gets a comment every 3 s until it ends, and no event", async () => {
  const { worker, runner, id, answer } = await startCall();
  worker.clock.advance(750);
  const pieces = piecesOf(await answer);
  await pieces.next();
  for (let n = 0; n < 5; n++) {
    worker.clock.advance(3_000);
    assert.match(await pieces.next(), /^: .+\n\n$/);
    runner.text("p");
  }
  runner.say({ type: "result", id }, "{}");
  assert.match(await pieces.next(), /^event: message\n/);
  assert.equal(worker.clock.pending, 0);
});

test("progress opens the stream at once and comes before the result, in order", async () => {
  const { runner, id, answer } = await startCall();
  const notes = [1, 2, 3].map((n) => PROGRESS.replace("1}", `${n}}`));
  for (const note of notes) runner.say({ type: "note", id }, note);
  runner.say({ type: "result", id }, "{}");
  const response = await answer;
  assert.equal(response.headers.get("content-type"), "text/event-stream");
  assert.deepEqual(eventsOf(await response.text()), [
    ...notes,
    '{"jsonrpc":"2.0","id":1,"result":{}}',
  ]);
});

test("progress reaches a client with a session alike", async () => {
  const worker = startWorkerInMemory();
  const runner = await worker.runner({ tools: ["notes__read"] });
  const session = await openSession(await worker.client());
  const answer = inSession(session, "tools/call", { name: "notes__read" }, { id: "a" });
  const { header: { id } } = await runner.next("call");
  runner.say({ type: "note", id }, PROGRESS);
  runner.say({ type: "error", id }, '{"code":7,"message":"no"}');
  assert.deepEqual(eventsOf(await (await answer).text()), [
    PROGRESS,
    '{"jsonrpc":"2.0","id":"a","error":{"code":7,"message":"no"}}',
  ]);
});

const spaced: ReadonlyArray<readonly [why: string, text: string]> = [
  ["line feeds", '{"a":1,\n"b":2}\n'],
  ["carriage returns", '{"a":1,\r"b":2}'],
  ["both", '\r\n{"a":1,\r\n"b":2}\r\n\r\n'],
  ["empty lines", '{"a":1,\n\n\n\r\r"b":2}'],
];
const breaks: typeof spaced = [
  ...spaced,
  ["a forged event", '{"a":1,\n\nevent: message\ndata: {"forged":true}\n\n"b":2}'],
  ["fields of a stream", '{"a":1,\nid: 7\nretry: 1\n: comment\n"b":2}'],
];

for (const [why, params] of spaced) {
  test(`${why} inside a notification do not break the stream`, async () => {
    const { runner, id, answer } = await startCall();
    const note = `{"jsonrpc":"2.0","method":"notifications/message","params":${params}}`;
    runner.say({ type: "note", id }, note);
    runner.say({ type: "result", id }, "{}");
    const [event] = eventsOf(await (await answer).text());
    assert.equal(event, note.replaceAll(/\r\n|\r/g, "\n"));
  });
}

for (const [why, text] of breaks) {
  test(`${why} inside a result do not break the stream`, async () => {
    const { runner, id, answer } = await startCall();
    runner.say({ type: "note", id }, PROGRESS);
    runner.say({ type: "result", id }, text);
    assert.deepEqual(eventsOf(await (await answer).text()), [
      PROGRESS,
      `{"jsonrpc":"2.0","id":1,"result":${text.replaceAll(/\r\n|\r/g, "\n")}}`,
    ]);
  });
}

for (
  const accept of ["application/json", "text/html", "", "application/json, text/event-streams"]
) {
  test(`a client that accepts "${accept}" gets one JSON, however long it takes`, async () => {
    const { worker, runner, id, answer } = await startCall(accept);
    runner.say({ type: "note", id }, PROGRESS);
    worker.clock.advance(20_000);
    runner.say({ type: "note", id }, PROGRESS);
    runner.say({ type: "result", id }, "{}");
    const response = await answer;
    assert.equal(response.headers.get("content-type"), "application/json");
    assert.deepEqual(await messageOf(response), { jsonrpc: "2.0", id: 1, result: {} });
  });
}

for (
  const accept of [
    "text/event-stream",
    "TEXT/EVENT-STREAM;q=0.5, application/json",
    "a/b,text/event-stream",
  ]
) {
  test(`a client that accepts "${accept}" gets a stream`, async () => {
    const { worker, runner, id, answer } = await startCall(accept);
    worker.clock.advance(750);
    runner.say({ type: "result", id }, "{}");
    assert.equal((await answer).headers.get("content-type"), "text/event-stream");
  });
}

test("progress that nobody reads is dropped, and the result still comes", async () => {
  const { runner, id, answer } = await startCall();
  const note = PROGRESS.replace("1}", `1,"message":"${"x".repeat(10_000)}"}`);
  for (let n = 0; n < 1_000; n++) runner.say({ type: "note", id }, note);
  runner.say({ type: "result", id }, '{"x":1}');
  const events = eventsOf(await (await answer).text());
  assert.ok(events.length > 10 && events.length < 200, `${events.length} of 10 MB are kept`);
  assert.equal(events.at(-1), '{"jsonrpc":"2.0","id":1,"result":{"x":1}}');
});

test("progress that is read comes whole, however much it is", async () => {
  const { runner, id, answer } = await startCall();
  const note = PROGRESS.replace("1}", `1,"message":"${"x".repeat(10_000)}"}`);
  runner.say({ type: "note", id }, note);
  const pieces = piecesOf(await answer);
  await pieces.next();
  for (let n = 0; n < 300; n++) {
    assert.equal(await pieces.next(), `event: message\ndata: ${note}\n\n`);
    runner.say({ type: "note", id }, note);
  }
});

const notNotes: ReadonlyArray<readonly [why: string, text: string]> = [
  ["a request", '{"jsonrpc":"2.0","id":1,"method":"sampling/createMessage","params":{}}'],
  ["a request with a null id", '{"jsonrpc":"2.0","id":null,"method":"notifications/progress"}'],
  ["a request without an id", '{"jsonrpc":"2.0","method":"elicitation/create","params":{}}'],
  ["a result", '{"jsonrpc":"2.0","id":1,"result":{"forged":true}}'],
  ["a method that is an object", '{"jsonrpc":"2.0","method":{"x":"notifications/progress"}}'],
  ["two methods", '{"jsonrpc":"2.0","method":"notifications/x","method":"roots/list"}'],
  ["a list of notifications", `[${PROGRESS}]`],
  ["text that is no JSON", `${PROGRESS},`],
];

for (const [why, text] of notNotes) {
  test(`${why} in place of a notification does not reach the client`, async () => {
    const { runner, id, answer } = await startCall();
    runner.say({ type: "note", id }, text);
    runner.say({ type: "note", id }, PROGRESS);
    runner.say({ type: "result", id }, "{}");
    assert.deepEqual(eventsOf(await (await answer).text()), [
      PROGRESS,
      '{"jsonrpc":"2.0","id":1,"result":{}}',
    ]);
    assert.deepEqual(runner.closes, []);
  });
}

for (const status of [400, 404] as const) {
  test(`an error that refuses the whole request with ${status} is answered so`, async () => {
    const { runner, id, answer } = await startCall();
    const error = '{"code":-32021,"message":"no","data":{"requiredCapabilities":{"sampling":{}}}}';
    runner.say({ type: "error", id, status }, error);
    const response = await answer;
    assert.equal(response.status, status);
    assert.equal(await response.text(), `{"jsonrpc":"2.0","id":1,"error":${error}}`);
  });
}

test("an error that would refuse the whole request ends a stream that is open already", async () => {
  const { runner, id, answer } = await startCall();
  runner.say({ type: "note", id }, PROGRESS);
  runner.say({ type: "error", id, status: 400 }, '{"code":-32021,"message":"no"}');
  const response = await answer;
  assert.equal(response.status, 200);
  assert.deepEqual(eventsOf(await response.text()), [
    PROGRESS,
    '{"jsonrpc":"2.0","id":1,"error":{"code":-32021,"message":"no"}}',
  ]);
});
