/**
 * Behind /readyz: asks a runner through its tunnel.
 *
 * @module
 */
import type { Clock } from "../../src/clock.ts";
import type { Runners } from "./runners.ts";

/** Milliseconds for which an outcome answers further questions: anybody may ask, runners are spared. */
const TTL_MS = 1_000;

/** Milliseconds within which a living runner answers. */
const DEADLINE_MS = 1_000;

/** Whether a tunnel can serve calls now, in words for an operator. */
export interface Readiness {
  readonly ready: boolean;
  readonly reason: string;
}

/**
 * A question that finds out whether a runner really answers, through the tunnel, not only whether a
 * socket is open.
 */
export function readinessProbe(runners: Runners, clock: Clock): () => Promise<Readiness> {
  let last: { readonly at: number; readonly outcome: Promise<Readiness> } | undefined;
  return () => {
    // That nobody is there costs no runner anything to find out, so it is never an old answer.
    if (runners.any() === undefined) {
      last = undefined;
      return Promise.resolve({ ready: false, reason: "No runner is connected" });
    }
    if (last === undefined || clock.now() - last.at > TTL_MS) {
      last = { at: clock.now(), outcome: ask(runners, clock) };
    }
    return last.outcome;
  };
}

function ask(runners: Runners, clock: Clock): Promise<Readiness> {
  return new Promise((resolve) => {
    const link = runners.any();
    if (link === undefined) {
      resolve({ ready: false, reason: "No runner is connected" });
      return;
    }
    const withdraw = link.call(
      {
        type: "call",
        id: crypto.randomUUID(),
        method: "ping",
        deadlineMs: DEADLINE_MS,
        protocolVersion: "",
        clientCapabilities: {},
        caller: { client: "" },
      },
      "",
      {
        accepted: () => {},
        note: () => {},
        result: () => settle(true, "A runner answers"),
        error: () => settle(false, "The runner answers with an error"),
      },
    );
    const cancel = clock.after(DEADLINE_MS, () => {
      withdraw("deadline");
      settle(false, "The runner does not answer");
    });
    const settle = (ready: boolean, reason: string): void => {
      cancel();
      resolve({ ready, reason });
    };
  });
}
