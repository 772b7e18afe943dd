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
    assert.deepEqual(capabilities, {
      tools: { listChanged: true },
      prompts: { listChanged: true },
      resources: { subscribe: true, listChanged: true },
      completions: {},
      logging: {},
    });
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

for (
  const capabilities of [[], "all", 7, { elicitation: true }, { sampling: [] }, { roots: null }]
) {
  test(`initialize with the capabilities ${JSON.stringify(capabilities)} opens no session`, async () => {
    const { response, message } = await initialize({ protocolVersion: "2025-11-25", capabilities });
    assert.equal(message.error?.code, -32602);
    assert.equal(response.headers.get("mcp-session-id"), null);
  });
}

test("initialize with more capabilities than anybody needs opens no session", async () => {
  const capabilities = { experimental: { x: { y: "x".repeat(20_000) } } };
  const { message } = await initialize({ protocolVersion: "2025-11-25", capabilities });
  assert.equal(message.error?.code, -32602);
});

test("however much a client can do, the id of its session is a short header", async () => {
  for (const length of [0, 500, 880, 900, 1_000, 15_000]) {
    const capabilities = { experimental: { x: { y: "ü".repeat(length / 2) } } };
    const { response } = await initialize({ protocolVersion: "2025-11-25", capabilities });
    assert.match(response.headers.get("mcp-session-id") ?? "", /^[\x21-\x7e]{64,2048}$/);
  }
});

test("a client is told the instructions of the servers that its token grants", async () => {
  const worker = startWorkerInMemory();
  await worker.runner({
    servers: [
      { name: "notes", tools: ["notes__read"], instructions: "Read before you write." },
      { name: "files", tools: ["files__read"], instructions: "Never write." },
    ],
  });
  const client = await worker.client("notes__*");
  const params = { protocolVersion: "2025-11-25", capabilities: {} };
  const body = JSON.stringify({ jsonrpc: "2.0", id: 0, method: "initialize", params });
  const { result } = await messageOf(await post(client, body));
  assert.match(String(result?.["instructions"]), /Read before you write/);
  assert.doesNotMatch(String(result?.["instructions"]), /Never write/);
});

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

test("capabilities count as long as they are when they are passed on", async () => {
  const numbers = Array(3_000).fill("1e20").join(",");
  const worker = startWorkerInMemory();
  const response = await post(
    await worker.client(),
    `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25",` +
      `"capabilities":{"experimental":{"x":{"y":[${numbers}]}}}}}`,
  );
  assert.equal((await messageOf(response)).error?.code, -32602);
});
