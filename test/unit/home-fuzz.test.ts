import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { MODERN_META, openSession, post, RESULT, startWorkerInMemory } from "../support/home.ts";

/** What clients send, more or less. */
const method = fc.constantFrom(
  "tools/call",
  "tools/list",
  "initialize",
  "ping",
  "notifications/cancelled",
  "",
  "x",
);
const id = fc.oneof(fc.constantFrom<unknown>(undefined, null, 0, 1.5, "", "a"), fc.jsonValue());
const meta = fc.oneof(fc.constantFrom<unknown>(undefined, MODERN_META, {}, null), fc.jsonValue());
const member = fc.oneof(
  fc.constantFrom<unknown>(undefined, "notes__read", "2025-11-25"),
  fc.jsonValue(),
);
const params = fc.oneof(
  fc.record({
    _meta: meta,
    name: member,
    arguments: member,
    cursor: member,
    requestId: id,
    protocolVersion: member,
  }),
  fc.jsonValue(),
);
const message = fc.record({
  jsonrpc: fc.constantFrom<unknown>("2.0", "2.0", "2.0", "2.0", 2, undefined),
  id,
  method,
  params,
});

/** The text of a message, sometimes with a piece of it taken out. */
const body = fc.oneof(
  message.map((value) => JSON.stringify(value)),
  fc.tuple(message, fc.nat(), fc.nat(9)).map(([value, at, length]) => {
    const text = JSON.stringify(value);
    const from = at % text.length;
    return text.slice(0, from) + text.slice(from + length);
  }),
  fc.json(),
  fc.string({ unit: "binary" }),
);

const headers = fc.record({
  "mcp-protocol-version": fc.constantFrom(undefined, "2026-07-28", "2025-11-25", "x"),
  "mcp-method": fc.oneof(fc.constant(undefined), method),
  "mcp-name": fc.constantFrom(
    undefined,
    "notes__read",
    "=?base64?bm90ZXNfX3JlYWQ=?=",
    "=?base64?!?=",
  ),
  accept: fc.constantFrom(undefined, "application/json", "text/event-stream"),
});

test("no request whatever makes the worker fail: each is answered or refused", async () => {
  const worker = startWorkerInMemory();
  const runner = await worker.runner({ maxCalls: 1_000, tools: ["notes__read"] });
  const session = await openSession(await worker.client());
  await fc.assert(
    fc.asyncProperty(body, headers, fc.boolean(), async (text, sent, inSession) => {
      const calls = runner.all("call").length;
      const answer = post(session.client, text, {
        headers: { ...sent, "mcp-session-id": inSession ? session.id : undefined },
      });
      void runner.next("call").then(({ header }) =>
        runner.say({ type: "result", id: header.id }, RESULT)
      );
      const { status } = await answer;
      assert.ok([200, 202, 400, 404].includes(status), `${status}`);
      assert.ok(runner.all("call").length <= calls + 1);
    }),
    { numRuns: 500 },
  );
  assert.deepEqual(worker.logged.filter(({ level }) => level === "error"), []);
  assert.deepEqual(runner.closes, []);
});
