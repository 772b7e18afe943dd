import assert from "node:assert/strict";
import { test } from "node:test";
import { queryObjects } from "node:v8";
import { CallRecord } from "../../runner/gateway/call-record.ts";
import { Gateway } from "../../runner/gateway/gateway.ts";
import { Instance } from "../../runner/server/instance.ts";
import { LegacyCall } from "../../runner/server/legacy-call.ts";
import { ManagedExchange } from "../../runner/server/managed-exchange.ts";
import { Ongoing } from "../../runner/server/ongoing.ts";
import { Warm } from "../../runner/server/warm.ts";
import { NO_TASKS } from "../../runner/task/policy.ts";
import { DENY_ALL } from "../../src/policy/allowlist.ts";
import type { Life } from "../../runner/config/life.ts";
import { ALL_BUT_SECRET } from "../support/gateway.ts";
import { openManaged } from "../support/managed.ts";
import { type Behaviour, modern, type Pipe, wellBehaved } from "../support/pipe.ts";
import { settled } from "../support/settled.ts";

/** What every call makes, and nothing may be left of. */
const MADE = [CallRecord, ManagedExchange, Ongoing, LegacyCall, Warm, Instance];

/** What a server does with the nth call: each way in which a call may end comes up. */
function ending(nth: number): Behaviour {
  return ({ id }, pipe) => {
    switch (nth % 6) {
      case 0:
        return pipe.say({ id, error: { code: -32000, message: "No" } });
      case 1:
        // It is cancelled, or its time runs out.
        return;
      case 2:
        return pipe.say({ id, result: "no object" });
      case 3:
        pipe.lines.length = 0;
        return pipe.say({ id, result: { content: [], isError: true } });
      default:
        return pipe.say({ id, result: { content: [] } });
    }
  };
}

/** Makes so many calls, eight at a time, and gives what is left then. */
async function leftAfter(calls: number, life: Partial<Life>, era: "modern" | "legacy") {
  let nth = 0;
  const instead: Readonly<Record<string, Behaviour>> = {
    "tools/call": (message, pipe) => ending(nth++)(message, pipe),
  };
  const behave = () =>
    era === "modern" ? modern(["echo"], instead) : wellBehaved(["echo"], instead);
  const bench = openManaged({ life: { idleMs: 1_000, ...life }, era, behave });
  const gateway = new Gateway({
    runner: "runner-1",
    clock: bench.clock,
    log: () => {},
    servers: [{
      server: bench.server,
      prefix: "",
      rules: { tools: ALL_BUT_SECRET, prompts: DENY_ALL, resources: DENY_ALL },
      tasks: NO_TASKS,
      transport: "stdio",
    }],
  });
  await gateway.start();
  let ended = 0;
  const end = () => void ended++;
  const reply = { accepted: () => {}, note: () => {}, result: end, error: end };
  let cancelled = 0;
  for (let made = 0; made < calls; made += 8) {
    for (let n = made; n < made + 8; n++) {
      gateway.call({
        id: `call-${n}`,
        method: "tools/call",
        params: '{"name":"echo","arguments":{},"_meta":{"progressToken":1}}',
        deadlineMs: 5_000,
        protocolVersion: "2026-07-28",
        clientCapabilities: {},
        caller: { client: `client-${n % 20}` },
      }, reply);
    }
    await settled();
    if (made % 16 === 0) {
      cancelled += gateway.inFlight;
      gateway.cancelAll("No longer needed");
    } else bench.clock.advance(5_000);
    await settled();
  }
  bench.clock.advance(24 * 3_600_000);
  await settled();
  const processes = bench.alive().length;
  // The bench remembers them, and they know whom they tell of what they print.
  (bench.pipes as Pipe[]).length = 0;
  assert.equal(ended + cancelled, calls);
  assert.equal(gateway.inFlight, 0);
  const left = {
    timers: bench.clock.pending,
    processes,
    ...Object.fromEntries(MADE.map((made) => [made.name, queryObjects(made, { format: "count" })])),
  };
  await gateway.stop();
  return left;
}

const lives: ReadonlyArray<readonly [life: Partial<Life>, calls: number]> = [
  [{ lifetime: "shared", concurrency: 3 }, 10_000],
  [{ lifetime: "client" }, 2_000],
  [{ lifetime: "call" }, 2_000],
];

for (const era of ["modern", "legacy"] as const) {
  for (const [life, calls] of lives) {
    test(`nothing is left of ${calls} calls to a ${era} server of lifetime ${life.lifetime}`, async () => {
      const few = await leftAfter(80, life, era);
      assert.deepEqual(await leftAfter(calls, life, era), few);
      assert.equal(few.processes, 0);
    });
  }
}
