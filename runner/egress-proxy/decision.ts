/**
 * What the proxy tells the runner: one line of JSON for each decision, on standard output.
 *
 * @module
 */

import type { Clock } from "../../src/clock.ts";

/** One decision. `failed`: allowed, and then the host could not be reached. */
export interface Decision {
  readonly verdict: "allowed" | "blocked" | "failed";
  readonly host: string;
  readonly port?: number | undefined;
  /** Why it was blocked or has failed. */
  readonly reason?: string | undefined;
  /** How many decisions this line stands for; 1 if absent. */
  readonly count?: number;
}

/** Takes decisions. */
export type Decide = (decision: Decision) => void;

/** Line that says that the proxy listens. */
export const READY = '{"ready":true}';

/** Longest host in a decision, in characters: a name of DNS, or the start of something else. */
const MAX_HOST = 253;

/** Lines a second; what comes beyond is told in one line. */
const LINES_PER_SECOND = 100;

/** A `Decide` that writes lines, as many as a runner wants to read. */
export function decisionLog(write: (line: string) => void, clock: Clock): Decide {
  // What is allowed must not crowd out what is blocked.
  const left = { blocked: LINES_PER_SECOND, other: LINES_PER_SECOND };
  let dropped = 0;
  let counting = false;

  function startSecond(): void {
    counting = true;
    clock.after(1_000, () => {
      if (dropped > 0) {
        const rest = { verdict: "blocked", host: "(others)", reason: "too many to tell" };
        write(JSON.stringify({ ...rest, count: dropped }));
      }
      left.blocked = left.other = LINES_PER_SECOND;
      dropped = 0;
      counting = false;
    });
  }

  return (decision) => {
    if (!counting) startSecond();
    const kind = decision.verdict === "blocked" ? "blocked" : "other";
    if (left[kind] > 0) {
      left[kind] -= 1;
      write(JSON.stringify({ ...decision, host: decision.host.slice(0, MAX_HOST) }));
    } else if (kind === "blocked") dropped += 1;
  };
}

/** A connection that must not be: thrown where that is found, told once, where it is ended. */
export class Blocked extends Error {
  override readonly name = "Blocked";
}
