import assert from "node:assert/strict";
import { test } from "node:test";
import { messageOf, openSession, startWorkerInMemory } from "../support/home.ts";

const refused: ReadonlyArray<readonly [method: string, session: boolean]> = [
  ["GET", false],
  ["HEAD", false],
  ["HEAD", true],
  ["PUT", true],
  ["PATCH", true],
  ["PROPFIND", true],
];

for (const [method, inSession] of refused) {
  const where = inSession ? "within a session" : "without a session";
  test(`${method} ${where} is answered 405, with the methods that are served`, async () => {
    const worker = startWorkerInMemory();
    const client = await worker.client();
    const session = await openSession(client);
    const response = await worker.request("/mcp", {
      method,
      headers: {
        authorization: `Bearer ${client.token}`,
        accept: "text/event-stream",
        ...(inSession && { "mcp-session-id": session.id }),
      },
    });
    assert.equal(response.status, 405);
    assert.equal(response.headers.get("allow"), "POST, GET, DELETE, OPTIONS");
    if (method !== "HEAD") assert.equal((await messageOf(response)).error?.code, -32600);
  });
}

test("GET is for who may be here", async () => {
  const worker = startWorkerInMemory();
  const response = await worker.request("/mcp", { headers: { "mcp-session-id": "x" } });
  assert.equal(response.status, 401);
});

test("GET of a session that does not exist is answered 404", async () => {
  const worker = startWorkerInMemory();
  const { token } = await worker.client();
  const response = await worker.request("/mcp", {
    headers: { authorization: `Bearer ${token}`, "mcp-session-id": "x" },
  });
  assert.equal(response.status, 404);
});

test("the stream of a session ends when the token of its client is revoked", async () => {
  const worker = startWorkerInMemory();
  const { token: owner } = await worker.runner();
  const client = await worker.client();
  const session = await openSession(client);
  const stream = await worker.request("/mcp", {
    headers: {
      authorization: `Bearer ${client.token}`,
      "mcp-session-id": session.id,
      accept: "text/event-stream",
    },
  });
  assert.equal(stream.status, 200);
  await worker.request(`/api/tokens/${client.id}`, {
    method: "DELETE",
    headers: { authorization: `Bearer ${owner}` },
  });
  assert.doesNotMatch(await stream.text(), /data: ./, "it ends, and nothing was said");
});
