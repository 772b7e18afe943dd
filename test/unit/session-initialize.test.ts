import assert from "node:assert/strict";
import { test } from "node:test";
import { type Message, messageOf, post, startWorkerInMemory } from "../support/home.ts";

/** Sends `initialize` with these params as they are. */
async function initialize(params: unknown, headers: Record<string, string> = {}) {
  const client = await startWorkerInMemory().client();
  const body = JSON.stringify({ jsonrpc: "2.0", id: "i", method: "initialize", params });
  const response = await post(client, body, { headers });
  return { response, message: await messageOf(response) };
}

const negotiated: ReadonlyArray<readonly [asked: string, answered: string]> = [
  ["2025-11-25", "2025-11-25"],
  ["2025-06-18", "2025-06-18"],
  ["2025-03-26", "2025-03-26"],
  ["2024-11-05", "2025-11-25"],
  ["2026-07-28", "2025-11-25"],
  ["2099-01-01", "2025-11-25"],
  ["", "2025-11-25"],
  ["latest", "2025-11-25"],
  ["__proto__", "2025-11-25"],
];

for (const [asked, answered] of negotiated) {
  test(`initialize with version "${asked}" is answered with ${answered}`, async () => {
    const { response, message } = await initialize({ protocolVersion: asked, capabilities: {} });
    assert.equal(response.status, 200);
    assert.equal(response.headers.get("content-type"), "application/json");
    assert.match(response.headers.get("mcp-session-id") ?? "", /^[\x21-\x7e]{64,400}$/);
    const { protocolVersion, capabilities, serverInfo, instructions, ...rest } =
      (message as Required<Message>).result;
    assert.equal(protocolVersion, answered);
    assert.deepEqual(capabilities, { tools: {} });
    assert.equal((serverInfo as { name: string }).name, "mcp-runner");
    assert.equal(typeof instructions, "string");
    assert.deepEqual(rest, {}, "nothing that the revision does not know");
  });
}

for (const params of [{}, { protocolVersion: 20251125 }, { protocolVersion: null }, undefined]) {
  test(`initialize with ${JSON.stringify(params)} opens no session`, async () => {
    const { response, message } = await initialize(params);
    assert.equal(message.error?.code, -32602);
    assert.equal(message.id, "i");
    assert.equal(response.headers.get("mcp-session-id"), null);
  });
}

test("initialize may carry the header of a legacy version", async () => {
  const params = { protocolVersion: "2025-06-18", capabilities: {} };
  const { message } = await initialize(params, { "mcp-protocol-version": "2025-06-18" });
  assert.equal(message.result?.["protocolVersion"], "2025-06-18");
});

test("initialize that claims a legacy version in its _meta opens a session", async () => {
  const _meta = { "io.modelcontextprotocol/protocolVersion": "2025-11-25" };
  const { response } = await initialize({ protocolVersion: "2025-11-25", _meta });
  assert.notEqual(response.headers.get("mcp-session-id"), null);
});

test("every initialize opens a session of its own", async () => {
  const client = await startWorkerInMemory().client();
  const ids = new Set<string | null>();
  for (let n = 0; n < 10; n++) {
    const params = { protocolVersion: "2025-11-25" };
    const body = JSON.stringify({ jsonrpc: "2.0", id: 0, method: "initialize", params });
    ids.add((await post(client, body)).headers.get("mcp-session-id"));
  }
  assert.equal(ids.size, 10);
});

test("an initialize without an id is no request and opens no session", async () => {
  const client = await startWorkerInMemory().client();
  const params = { protocolVersion: "2025-11-25" };
  const response = await post(
    client,
    JSON.stringify({ jsonrpc: "2.0", method: "initialize", params }),
  );
  assert.equal(response.status, 400);
  assert.equal(response.headers.get("mcp-session-id"), null);
});
