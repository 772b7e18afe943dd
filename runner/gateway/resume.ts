import type { Input } from "../server/exchange.ts";
import type { Params } from "../server/params.ts";
import type { RequestContext } from "./request.ts";
import { stateInvalid, type StateSubject } from "./request-state.ts";
import { readRetry } from "./retry.ts";

/** Where a request goes on. */
export interface Resumed {
  /** What the server gets; undefined when this is no retry. */
  readonly input: Input | undefined;
  /** The rounds so far. */
  readonly round: number;
  /** The server that has asked; undefined if none has. */
  readonly server: string | undefined;
}

/**
 * Takes what a retry brings along; its state is good only this once.
 *
 * @param servers Those that the request may go to.
 * @throws {GatewayError} `invalid_params` for malformed answers, which leave the state good;
 * `state_invalid`.
 */
export function resume(
  { states }: Pick<RequestContext, "states">,
  params: Params,
  { subject, servers }: { readonly subject: StateSubject; readonly servers: readonly string[] },
): Resumed {
  const retry = readRetry(params);
  if (retry === undefined) return { input: undefined, round: 0, server: undefined };
  const { requestState, responses, errors } = retry;
  if (requestState === undefined) {
    return { input: { state: undefined, responses, errors }, round: 0, server: undefined };
  }
  const { server, round, inner } = states.take(requestState, subject);
  if (!servers.includes(server)) throw stateInvalid();
  return { input: { state: inner, responses, errors }, round, server };
}
