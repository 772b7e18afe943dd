import { GatewayError } from "../../src/errors.ts";

/** Calls that a runner takes at a time, whatever a worker sends. */
export const MAX_CALLS = 256;

/** That a call comes on top of as many as the runner takes. */
export function tooMany(): GatewayError {
  return new GatewayError(
    "overloaded",
    `The runner has ${MAX_CALLS} calls in flight and takes no more: try again in a moment`,
  );
}

/** That a call has reached its deadline; `accepted` says whether its server has got it. */
export function tooSlow(deadlineMs: number, accepted: boolean): GatewayError {
  const seconds = deadlineMs / 1000;
  return accepted
    ? new GatewayError(
      "call_timeout",
      `The tool did not answer within ${seconds} s: it may still have run`,
    )
    : new GatewayError(
      "call_timeout",
      `The server did not start within ${seconds} s: the tool has not run`,
      { executed: "no" },
    );
}
