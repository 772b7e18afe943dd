import assert from "node:assert/strict";
import { test } from "node:test";
import { inSession, messageOf, openSession, post, startWorkerInMemory } from "../support/home.ts";

test("ping is answered with an empty result", async () => {
  const session = await openSession(await startWorkerInMemory().client());
  const response = await inSession(session, "ping", {}, { id: "p" });
  assert.equal(await response.text(), '{"jsonrpc":"2.0","id":"p","result":{}}');
});

for (
  const method of [
    "server/discover",
    "subscriptions/listen",
    "tasks/get",
    "initialized",
    "",
    "__proto__",
  ]
) {
  test(`the unknown method "${method}" is answered at 200, so that the session lives on`, async () => {
    const session = await openSession(await startWorkerInMemory().client());
    const response = await inSession(session, method);
    assert.equal(response.status, 200);
    assert.equal((await messageOf(response)).error?.code, -32601);
    assert.equal((await inSession(session, "ping")).status, 200);
  });
}

const versions: ReadonlyArray<readonly [version: string | undefined, status: number]> = [
  [undefined, 200],
  ["2025-11-25", 200],
  ["2025-06-18", 200],
  ["2025-03-26", 200],
  ["2024-11-05", 400],
  ["1.0", 400],
  ["", 400],
  ["2026-07-28", 400],
  ["2099-01-01", 400],
  ["2025-11-25, 2025-11-25", 400],
];

for (const [version, status] of versions) {
  test(`a request with MCP-Protocol-Version ${version} is answered ${status}`, async () => {
    const session = await openSession(await startWorkerInMemory().client());
    const response = await inSession(session, "ping", {}, {
      headers: { "mcp-protocol-version": version },
    });
    assert.equal(response.status, status);
    const message = await messageOf(response);
    assert.equal(message.id, 1);
    assert.equal(message.error === undefined, status === 200);
  });
}

const accepted: ReadonlyArray<readonly [why: string, body: string]> = [
  ["notifications/initialized", '{"jsonrpc":"2.0","method":"notifications/initialized"}'],
  ["a notification that nobody knows", '{"jsonrpc":"2.0","method":"notifications/x","params":{}}'],
  ["a response", '{"jsonrpc":"2.0","id":9,"result":{}}'],
  ["an error", '{"jsonrpc":"2.0","id":"x","error":{"code":1,"message":""}}'],
];

for (const [why, body] of accepted) {
  test(`${why} is accepted with 202 and nothing else, within a session alone`, async () => {
    const { client, id } = await openSession(await startWorkerInMemory().client());
    const response = await post(client, body, { headers: { "mcp-session-id": id } });
    assert.equal(response.status, 202);
    assert.equal(await response.text(), "");
    assert.equal((await post(client, body)).status, 400);
    assert.equal((await post(client, body, { headers: { "mcp-session-id": "x" } })).status, 404);
  });
}

test("a cursor that we did not give out is refused", async () => {
  const session = await openSession(await startWorkerInMemory().client());
  const { error } = await messageOf(await inSession(session, "tools/list", { cursor: "2" }));
  assert.equal(error?.code, -32602);
});

test("a call without a tool is refused within the session", async () => {
  const session = await openSession(await startWorkerInMemory().client());
  for (const params of [{}, { name: 7 }, { name: null }]) {
    const response = await inSession(session, "tools/call", params);
    assert.equal(response.status, 200);
    assert.equal((await messageOf(response)).error?.code, -32602);
  }
});
