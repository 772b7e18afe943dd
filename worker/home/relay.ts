/**
 * One request of a modern client between its HTTP response and a runner, until exactly one of these
 * ends it: the runner's answer, the deadline, or the client leaving, which thereby cancels it.
 *
 * @module
 */
import type { Clock } from "../../src/clock.ts";
import { startAnswer } from "./answer.ts";
import type { Dispatch, OutgoingCall, Withdraw } from "./dispatch.ts";
import type { McpRequest } from "./request.ts";

/** Why a call is withdrawn, in words for the runner. */
const LEFT = "The client has left";

/** A request to relay. */
export interface RelayOptions {
  readonly dispatch: Dispatch;
  readonly clock: Clock;
  readonly request: McpRequest;
  /** JSON text of the client's request id. */
  readonly id: string;
  readonly call: OutgoingCall;
}

/**
 * Sends the call and wires its answer to the response.
 *
 * @throws {GatewayError} what `Dispatch.send` refuses.
 */
export async function relay(options: RelayOptions): Promise<Response> {
  const { dispatch, clock, request: { headers, signal }, id, call } = options;
  let left = false;
  let withdraw: Withdraw = () => {};
  const answer = startAnswer({
    id,
    clock,
    signal,
    stream: acceptsStream(headers),
    left: () => {
      left = true;
      withdraw(LEFT);
    },
  });
  try {
    withdraw = await dispatch.send(call, answer.reply, () => left || signal.aborted);
  } catch (error) {
    answer.abandon();
    throw error;
  }
  if (left) withdraw(LEFT);
  return answer.response;
}

/** Whether the client takes `text/event-stream` as an answer. */
export function acceptsStream(headers: Headers): boolean {
  const ranges = (headers.get("accept") ?? "").toLowerCase().split(",");
  return ranges.some((range) => range.split(";")[0]?.trim() === "text/event-stream");
}
