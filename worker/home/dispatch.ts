/**
 * Sends canonical calls to the runners of one home, within its limits, until exactly one of these
 * ends a call: the runner's answer, the deadline, or whoever withdraws it.
 *
 * @module
 */
import type { Reply } from "../../src/call.ts";
import type { Clock } from "../../src/clock.ts";
import { GatewayError, toRpcError } from "../../src/errors.ts";
import type { RequestMeta } from "../../src/mcp/meta.ts";
import type { Caller } from "../front/caller.ts";
import type { RunnerLink } from "./link.ts";
import type { Runners } from "./runners.ts";
import { targetOf } from "./target.ts";

/** Milliseconds a call may take; below the 300 s after which today's clients give up. */
export const CALL_DEADLINE_MS = 290_000;

/** Calls in flight per tunnel; above it a call is refused at once. */
const MAX_CALLS = 1_024;

/** The method of calls that last as long as somebody listens. */
export const LISTEN_METHOD = "subscriptions/listen";

/** A call on its way to a runner, in the canonical form of src/call.ts. */
export interface OutgoingCall {
  readonly method: string;
  /** JSON text of the request's params; empty when it had none. */
  readonly params: string;
  readonly meta: RequestMeta;
  readonly caller: Caller;
  /** See the `call` frame. */
  readonly paramHeaders?: Readonly<Record<string, string>> | undefined;
  /** See the `call` frame; told by whoever finds the runner. */
  readonly servers?: readonly string[] | undefined;
  /** CALL_DEADLINE_MS unless given. */
  readonly deadlineMs?: number;
}

/** Ends a call that nobody waits for any more: its runner is told why, its reply hears nothing. */
export type Withdraw = (reason: string) => void;

/** The calls of one home. */
export class Dispatch {
  readonly #runners: Runners;
  readonly #clock: Clock;
  #calls = 0;

  constructor(runners: Runners, clock: Clock) {
    this.#runners = runners;
    this.#clock = clock;
  }

  /**
   * Sends a call. `reply` then gets its notifications and, exactly once, its end.
   *
   * @param gone Whether nobody waits any more, asked right before the call would leave.
   * @throws {GatewayError} what refuses the call before it leaves: `invalid_params`, `unknown_tool`,
   * `unknown_resource`, `state_invalid`, `unknown_method`, `runner_offline`, `overloaded`, `call_cancelled`.
   */
  async send(
    call: OutgoingCall,
    reply: Reply,
    gone: () => boolean = () => false,
  ): Promise<Withdraw> {
    const { link, servers } = await targetOf(this.#runners, call);
    return this.sendTo(link, { ...call, servers }, reply, gone);
  }

  /**
   * Sends a call to the runner of `link`, whose caller has been found granted what it names.
   *
   * @throws {GatewayError} `overloaded`, `call_cancelled`.
   */
  sendTo(
    link: RunnerLink,
    call: OutgoingCall,
    reply: Reply,
    gone: () => boolean = () => false,
  ): Withdraw {
    // What lasts as long as somebody listens must leave room for what is done at once.
    const share = call.method === LISTEN_METHOD ? 0.5 : 1;
    if (this.#calls >= MAX_CALLS * share || link.inFlight >= link.maxCalls * share) {
      throw new GatewayError(
        "overloaded",
        "Cannot take the call: too many calls are in flight, try again in a moment",
      );
    }
    if (gone()) {
      throw new GatewayError("call_cancelled", "The client has left before the call was sent", {
        executed: "no",
      });
    }
    const { method, params, meta, caller, paramHeaders, servers } = call;
    const { deadlineMs = CALL_DEADLINE_MS } = call;
    this.#calls++;
    let over = false;
    let withdraw: Withdraw = () => {};
    const end = (): boolean => {
      if (over) return false;
      over = true;
      stopTimer();
      this.#calls--;
      return true;
    };
    const stopTimer = this.#clock.after(deadlineMs, () => {
      if (!end()) return;
      withdraw("Deadline");
      reply.error(JSON.stringify(toRpcError(tooLate(method, deadlineMs))));
    });
    withdraw = link.call(
      {
        type: "call",
        id: crypto.randomUUID(),
        method,
        deadlineMs,
        protocolVersion: meta.protocolVersion,
        clientCapabilities: meta.clientCapabilities,
        caller: { client: caller.client },
        ...(meta.logLevel !== undefined && { logLevel: meta.logLevel }),
        ...(paramHeaders !== undefined && { paramHeaders }),
        ...(servers !== undefined && { servers: [...servers] }),
      },
      params,
      {
        accepted: () => reply.accepted(),
        note: (notification) => reply.note(notification),
        result: (result, resultType) => void (end() && reply.result(result, resultType)),
        error: (error, status) => void (end() && reply.error(error, status)),
      },
    );
    return (reason) => {
      if (end()) withdraw(reason);
    };
  }
}

function tooLate(method: string, deadlineMs: number): GatewayError {
  const [who, ran] = method === "tools/call"
    ? ["The tool", "it may still have run"]
    : ["The server", "it may still be at work"];
  return new GatewayError(
    "call_timeout",
    `${who} did not answer within ${deadlineMs / 1000} s: ${ran}`,
  );
}
