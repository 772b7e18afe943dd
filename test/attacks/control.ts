import { setTimeout as sleep } from "node:timers/promises";
import type { Endpoint } from "../support/mcp.ts";
import { callTool, textOf } from "../support/tool-call.ts";
import type { Calls } from "./verdict.ts";

/** Name of the server that must not notice anything. */
export const CONTROL = "control";

/** Milliseconds from one call of the control server to the next, if it was answered by then. */
const EVERY_MS = 20;

/** Calls that a window has at least: fewer have no p99. */
export const WINDOW = 100;

/** Longest that a call may take before it counts as lost, in milliseconds. */
const LOST_MS = 30_000;

/** Calls the control server through the whole path, one call at a time. */
export interface Control {
  /** Goes on until there are enough calls, then resolves with all of them. */
  stop(): Promise<Calls>;
}

/** Begins to call. */
export function startControl(endpoint: Endpoint): Control {
  const ms: number[] = [];
  const failures: string[] = [];
  const stopping = new AbortController();
  const run = async (): Promise<void> => {
    while (!stopping.signal.aborted || ms.length + failures.length < WINDOW) {
      const startedAt = performance.now();
      const asked = `${ms.length}`;
      try {
        const signal = AbortSignal.timeout(LOST_MS);
        const name = `${CONTROL}__echo`;
        const answer = await callTool(endpoint, { name, args: { asked }, signal });
        if (textOf(answer) === JSON.stringify({ asked })) {
          ms.push(performance.now() - startedAt);
        } else failures.push(JSON.stringify(answer).slice(0, 200));
      } catch (error) {
        failures.push(String(error));
      }
      await sleep(Math.max(1, EVERY_MS - (performance.now() - startedAt)));
    }
  };
  const running = run();
  return {
    stop: async () => {
      stopping.abort();
      await running;
      return { ms, failures };
    },
  };
}
