import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as realTime } from "node:timers/promises";
import { connectLegacy } from "../support/mcp.ts";
import { probeImage } from "../support/probe-image.ts";
import { probeConfig } from "../support/probe-server.ts";
import { connect, createMachine } from "../support/runner.ts";
import { startWorker } from "../support/worker.ts";

/** workerd puts an object to sleep after 10 s without events; nothing makes it do so earlier. */
const SLEEP_MS = 14_000;

test("a home that slept knows its runner, its offer and its sessions, and heartbeats let it sleep", async () => {
  await using worker = await startWorker("workerd");
  await using machine = await createMachine(probeConfig(await probeImage()));
  await connect(machine, worker);
  const token = await machine.createToken("*");
  const client = await connectLegacy({ origin: worker.origin, token });
  const echo = () => client.callTool({ name: "probe__echo", arguments: {} });
  await echo();
  assert.doesNotMatch(worker.output(), /A home has woken/);

  // The platform's own clock: a runner's heartbeat falls into this time and must not wake the home.
  await realTime(SLEEP_MS);

  assert.match(JSON.stringify(await echo()), /tools\/call/);
  assert.match(worker.output(), /A home has woken","connections":1/);
  await client.close();
});
