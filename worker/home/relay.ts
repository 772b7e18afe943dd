/**
 * One tools/call between a client's HTTP request and a runner's link, until exactly one of these
 * ends it: the runner's answer, the deadline, the client leaving, or the client's cancellation.
 *
 * @module
 */
import type { Clock } from "../../src/clock.ts";
import { GatewayError, toRpcError } from "../../src/errors.ts";
import type { RequestMeta } from "../../src/mcp/meta.ts";
import { startAnswer } from "./answer.ts";
import type { RunnerLink } from "./link.ts";
import type { McpRequest } from "./request.ts";

/** Milliseconds a call may take; below the 300 s after which today's clients give up. */
export const CALL_DEADLINE_MS = 290_000;

/** A call that may be sent: it has passed every check of the home. */
export interface RelayOptions {
  readonly link: RunnerLink;
  readonly clock: Clock;
  readonly request: McpRequest;
  /** JSON text of the client's request id. */
  readonly id: string;
  readonly method: string;
  /** JSON text of the request's params. */
  readonly params: string;
  readonly meta: RequestMeta;
  /** Whether a client that disconnects thereby cancels: so in 2026-07-28, not before. */
  readonly leavingCancels: boolean;
  /** Called once when the call has ended. */
  readonly ended: () => void;
}

/** A call under way. */
export interface Relay {
  readonly response: Promise<Response>;
  /** Ends the call because its client said so. */
  readonly cancel: () => void;
}

/** Sends the call and wires its answer to the response. */
export function relay(options: RelayOptions): Relay {
  const { link, clock, request, id } = options;
  let over = false;
  let withdraw: (reason: string) => void = () => {};
  let stopTimer: () => void = () => {};

  /** Marks the call's end; false if it had ended before. */
  function end(reason?: string): boolean {
    if (over) return false;
    over = true;
    stopTimer();
    if (reason !== undefined) withdraw(reason);
    options.ended();
    return true;
  }
  function fail(error: GatewayError, reason: string): void {
    if (end(reason)) answer.reply.error(JSON.stringify(toRpcError(error)));
  }

  const answer = startAnswer({
    id,
    clock,
    signal: request.signal,
    stream: acceptsStream(request.headers),
    left: () => void (options.leavingCancels && end("The client has left")),
  });
  stopTimer = clock.after(CALL_DEADLINE_MS, () =>
    fail(
      new GatewayError(
        "call_timeout",
        `The tool did not answer within ${CALL_DEADLINE_MS / 1000} s: it may still have run`,
      ),
      "Deadline",
    ));
  withdraw = link.call(
    {
      type: "call",
      id: crypto.randomUUID(),
      method: options.method,
      deadlineMs: CALL_DEADLINE_MS,
      protocolVersion: options.meta.protocolVersion,
      clientCapabilities: options.meta.clientCapabilities,
      caller: { client: request.caller.client },
    },
    options.params,
    {
      accepted: () => answer.reply.accepted(),
      note: (notification) => answer.reply.note(notification),
      result: (result) => void (end() && answer.reply.result(result)),
      error: (error) => void (end() && answer.reply.error(error)),
    },
  );
  return {
    response: answer.response,
    cancel: () =>
      fail(
        new GatewayError("call_cancelled", "The client has cancelled the call"),
        "Cancelled by the client",
      ),
  };
}

function acceptsStream(headers: Headers): boolean {
  const ranges = (headers.get("accept") ?? "").toLowerCase().split(",");
  return ranges.some((range) => range.split(";")[0]?.trim() === "text/event-stream");
}
