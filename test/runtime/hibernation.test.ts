import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as realTime } from "node:timers/promises";
import { post } from "../support/mcp.ts";
import { probeImage } from "../support/probe-image.ts";
import { probeConfig } from "../support/probe-server.ts";
import { connect, createMachine } from "../support/runner.ts";
import { startWorker } from "../support/worker.ts";

/** workerd puts an object to sleep after 10 s without events; nothing makes it do so earlier. */
const SLEEP_MS = 14_000;

const INITIALIZE = JSON.stringify({
  jsonrpc: "2.0",
  id: 1,
  method: "initialize",
  params: {
    protocolVersion: "2025-11-25",
    capabilities: { elicitation: {} },
    clientInfo: { name: "test", version: "1" },
  },
});

const ECHO = JSON.stringify({
  jsonrpc: "2.0",
  id: 2,
  method: "tools/call",
  params: { name: "probe__echo", arguments: {} },
});

test("a home that slept knows its runner, its offer and its sessions, and heartbeats let it sleep", async () => {
  await using worker = await startWorker("workerd");
  await using machine = await createMachine(probeConfig(await probeImage()));
  await connect(machine, worker);
  const token = await machine.createToken("*");
  // Bare requests: the official client keeps a stream open, and who listens keeps its home awake.
  const endpoint = { origin: worker.origin, token };
  const initialized = await post(endpoint, INITIALIZE);
  const session = initialized.headers.get("mcp-session-id") ?? "";
  const echo = async () => {
    const headers = { "mcp-session-id": session, "mcp-protocol-version": "2025-11-25" };
    return await (await post(endpoint, ECHO, { headers })).text();
  };
  assert.match(await echo(), /tools\/call/);
  assert.doesNotMatch(worker.output(), /A home has woken/);

  // The platform's own clock: a runner's heartbeat falls into this time and must not wake the home.
  await realTime(SLEEP_MS);

  assert.match(await echo(), /tools\/call/);
  assert.match(worker.output(), /A home has woken","connections":1/);
});
