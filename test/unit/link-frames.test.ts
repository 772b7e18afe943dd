import assert from "node:assert/strict";
import { test } from "node:test";
import { callTool, messageOf, RESULT, startWorkerInMemory } from "../support/home.ts";

const broken: ReadonlyArray<readonly [why: string, message: string]> = [
  ["an empty message", ""],
  ["text that is no frame", "nonsense"],
  ["a frame without a type", '{"id":"x"}'],
  ["a list", "[]"],
  ["null", "null"],
  ["a result without an id", '{"type":"result"}\n{}'],
  ["a result with an overlong id", `{"type":"result","id":"${"x".repeat(65)}"}\n{}`],
  ["a result without a payload", '{"type":"result","id":"x"}'],
  ["an error without a payload", '{"type":"error","id":"x"}\n'],
  ["a note without a payload", '{"type":"note","id":"x"}'],
  ["a revision that is a long text", `{"type":"offer","revision":"${"€".repeat(100)}"}\n{}`],
  ["a revision that is text of two halves", `{"type":"offer","revision":"${"😀".repeat(100)}"}`],
  ["a drain without a deadline", '{"type":"drain","reason":"bye"}'],
  [
    "a call",
    '{"type":"call","id":"x","method":"tools/call","deadlineMs":1,"protocolVersion":"","clientCapabilities":{},"caller":{"client":""}}',
  ],
  ["a cancel", '{"type":"cancel","id":"x","reason":""}'],
  [
    "a welcome",
    '{"type":"welcome","tunnel":"","link":"","features":[],"heartbeatMs":1,"maxPayload":1}',
  ],
  ["an overlong header", `{"type":"accepted","id":"x","later":"${"x".repeat(70_000)}"}`],
  ["an overlong payload", `{"type":"result","id":"x"}\n"${"x".repeat(10 * 1024 * 1024)}"`],
  ["10 MB without a line break", "x".repeat(10_000_000)],
  ["an upper-case heartbeat, which is the worker's", "P"],
];

for (const [why, message] of broken) {
  test(`${why} closes the tunnel with 4400 and ends its calls, and those of no other`, async () => {
    const worker = startWorkerInMemory();
    const other = await worker.runner({ id: "other", tools: ["git__log"] });
    const runner = await worker.runner({ id: "bad", tools: ["notes__read"] });
    const client = await worker.client();
    const [mine, others] = [callTool(client, "notes__read"), callTool(client, "git__log")];
    const [sentToMine, sentToOther] = [await runner.next("call"), await other.next("call")];

    runner.text(message);
    assert.deepEqual(runner.closes.map(({ code }) => code), [4400]);
    assert.match(runner.closes[0]?.reason ?? "", /^[\x20-\x7e]+$/);
    const { error } = await messageOf(await mine);
    assert.deepEqual([error?.code, error?.data["executed"]], [1002, "unknown"]);

    runner.say({ type: "result", id: sentToMine.header.id }, RESULT);
    runner.offer("notes__read", "notes__extra");
    const next = await messageOf(await callTool(client, "notes__extra"));
    assert.equal(next.error?.code, -32602, "what comes after is not taken");
    const away = await messageOf(await callTool(client, "notes__read"));
    assert.equal(away.error?.code, 1001, "the runner counts as away at once");

    other.say({ type: "result", id: sentToOther.header.id }, RESULT);
    assert.deepEqual((await messageOf(await others)).result, JSON.parse(RESULT));
    assert.deepEqual(other.closes, []);
  });
}

const ignored: ReadonlyArray<readonly [why: string, message: string]> = [
  ["a frame of a type that is not known", '{"type":"credit","bytes":1}'],
  ["an unknown type with a payload", '{"type":"later"}\n{"a":1}'],
  ["a reply to a call that never was", '{"type":"result","id":"never"}\n{}'],
  ["an accepted that never was", '{"type":"accepted","id":"never"}'],
  ["a note that never was", '{"type":"note","id":"never"}\n{}'],
  ["a call id that is special to JavaScript", '{"type":"result","id":"__proto__"}\n{}'],
];

for (const [why, message] of ignored) {
  test(`${why} is ignored`, async () => {
    const worker = startWorkerInMemory();
    const runner = await worker.runner({ tools: ["notes__read"] });
    const answer = callTool(await worker.client(), "notes__read");
    const { header } = await runner.next("call");
    runner.text(message);
    runner.say({ type: "result", id: header.id }, RESULT);
    assert.deepEqual((await messageOf(await answer)).result, JSON.parse(RESULT));
    assert.deepEqual(runner.closes, []);
  });
}

test("a payload at the limit is passed on", async () => {
  const worker = startWorkerInMemory();
  const runner = await worker.runner({ tools: ["notes__read"] });
  const answer = callTool(await worker.client(), "notes__read");
  const { header } = await runner.next("call");
  const text = "x".repeat(10 * 1024 * 1024 - 2);
  runner.say({ type: "result", id: header.id }, `"${text}"`);
  assert.equal((await messageOf(await answer)).result, text);
});
