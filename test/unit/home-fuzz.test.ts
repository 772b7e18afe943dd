import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  mirrored,
  MODERN_META,
  openSession,
  post,
  RESULT,
  startWorkerInMemory,
} from "../support/home.ts";

/** What clients send, more or less. */
const method = fc.constantFrom(
  "tools/call",
  "tools/list",
  "resources/templates/list",
  "prompts/get",
  "resources/read",
  "completion/complete",
  "tasks/get",
  "subscriptions/listen",
  "server/discover",
  "initialize",
  "ping",
  "notifications/cancelled",
  "",
  "x",
);
const id = fc.oneof(fc.constantFrom<unknown>(undefined, null, 0, 1.5, "", "a"), fc.jsonValue());
const meta = fc.oneof(
  fc.constantFrom<unknown>(undefined, MODERN_META, {}, null),
  fc.constant(MODERN_META),
  fc.jsonValue(),
);
const member = fc.oneof(
  fc.constantFrom<unknown>(
    undefined,
    "notes__read",
    "2025-11-25",
    "2b7c3db9.x",
    "notes://today",
    { type: "ref/resource", uri: "notes://{x}" },
    { toolsListChanged: true, resourceSubscriptions: ["notes://today"] },
  ),
  fc.jsonValue(),
);
const params = fc.oneof(
  fc.record({
    _meta: meta,
    name: member,
    arguments: member,
    cursor: member,
    uri: member,
    ref: member,
    taskId: member,
    requestState: member,
    inputResponses: member,
    notifications: member,
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
  fc.array(message, { maxLength: 3 }).map((values) => JSON.stringify(values)),
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

/** The headers that belong to a modern request; none for what is no such thing. */
function honest(text: string): Record<string, string> {
  let read: unknown;
  try {
    read = JSON.parse(text);
  } catch {
    return {};
  }
  const { method, params } = (read ?? {}) as { method?: unknown; params?: unknown };
  const { name, uri, taskId } = (params ?? {}) as Record<string, unknown>;
  const named = [name, uri, taskId].find((each) => typeof each === "string");
  return {
    "mcp-protocol-version": "2026-07-28",
    "mcp-method": mirrored(String(method)),
    ...(typeof named === "string" && { "mcp-name": mirrored(named) }),
  };
}

test("no request whatever makes the worker fail: each is answered or refused", async () => {
  const worker = startWorkerInMemory();
  const runner = await worker.runner({
    maxCalls: 5_000,
    servers: [{ name: "notes", tools: ["notes__read"], templates: ["notes://{x}"] }],
  });
  const session = await openSession(await worker.client());
  await fc.assert(
    fc.asyncProperty(
      body,
      headers,
      fc.boolean(),
      fc.boolean(),
      async (text, sent, inSession, isHonest) => {
        const calls = runner.all("call").length;
        const answer = post(session.client, text, {
          headers: {
            ...sent,
            ...(isHonest && honest(text)),
            "mcp-session-id": inSession ? session.id : undefined,
          },
        });
        void runner.next("call").then(({ header }) =>
          runner.say({ type: "result", id: header.id }, RESULT)
        );
        const { status, body } = await answer;
        assert.ok([200, 202, 400, 404].includes(status), `${status}`);
        assert.ok(runner.all("call").length <= calls + 1);
        await body?.cancel();
      },
    ),
    { numRuns: 500 },
  );
  assert.deepEqual(worker.logged.filter(({ level }) => level === "error"), []);
  assert.deepEqual(runner.closes, []);
});
