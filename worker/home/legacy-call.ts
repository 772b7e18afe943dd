/**
 * One request of a legacy client that a runner answers, until the client has its response. A server
 * that needs something of the client ends a round with what it asks for; the client is asked in the
 * way of its own revision, and its answers begin the next round (MCP 2026-07-28 basic/patterns/mrtr).
 *
 * @module
 */
import type { Reply } from "../../src/call.ts";
import { GatewayError, toGatewayError } from "../../src/errors.ts";
import type { RequestMeta } from "../../src/mcp/meta.ts";
import type { Caller } from "../front/caller.ts";
import { laterError, laterRefusal, legacyError } from "./call-error.ts";
import { mayAsk } from "./client-capabilities.ts";
import type { Dispatch, Withdraw } from "./dispatch.ts";
import {
  firstParams,
  type InputRequest,
  nextParams,
  readInputRequired,
  withElicitationId,
} from "./input-required.ts";
import { isNotification } from "./notification.ts";
import { type ClientAnswer, refusal } from "./questions.ts";
import { BY_CLIENT, type Session } from "./session.ts";

/** Rounds of one call, as many as the SDKs grant a server. */
const MAX_ROUNDS = 10;

/** Milliseconds after which nobody cares any more how a call ends that was given up. */
const GIVE_UP_MS = 10_000;

/** Where a call writes what its client gets before the response. */
export interface Outlet {
  /** Sends a notification, if there is a way. */
  note(message: string): void;
  /** Sends a request or what belongs to one; false when there is no way to the client. */
  ask(message: string): boolean;
}

/** A request that a runner answers. */
export interface SessionCall {
  /** JSON text of the client's request id. */
  readonly id: string;
  readonly method: string;
  /** JSON text of the request's params. */
  readonly params: string;
  readonly caller: Caller;
}

/** How a call, or a round of it, ended. */
export type Outcome =
  | { readonly result: string; readonly resultType?: string | undefined }
  | { readonly error: string };

/**
 * Makes a call for `session`.
 *
 * @returns The raw result or the raw error object, in the words of legacy revisions.
 * @throws {GatewayError} what prevents or ends the call at the home: what `Dispatch.send` refuses,
 * `call_cancelled`, `server_failed` for questions that cannot be asked, `too_large`.
 */
export async function callInSession(
  dispatch: Dispatch,
  session: Session,
  { call, outlet }: { readonly call: SessionCall; readonly outlet: Outlet },
): Promise<Outcome> {
  const abort = session.callBegins(call.id);
  try {
    const { signal } = abort;
    let params = firstParams(call.params);
    for (let round = 0; round < MAX_ROUNDS; round++) {
      const outcome = await sendRound(dispatch, session, { call, params, outlet, signal })
        .catch((error: unknown) => {
          throw round === 0 ? error : laterRefusal(toGatewayError(error));
        });
      if ("error" in outcome) {
        const error = round === 0 ? outcome.error : laterError(outcome.error);
        return { error: legacyError(call.method, error) };
      }
      if (outcome.resultType !== "input_required") return outcome;
      const { requests, state } = readInputRequired(outcome.result);
      const answers = await askAll(session, { requests, outlet, signal });
      if (signal.aborted) {
        if (state !== undefined) giveUp(dispatch, session, { call, requests, state });
        throw cancelled(signal, "unknown");
      }
      params = nextParams(call.params, { state, answers });
    }
    throw new GatewayError(
      "server_failed",
      `The server asked the client for something more than ${MAX_ROUNDS} times`,
      { executed: "unknown" },
    );
  } finally {
    // Questions that are still open have nobody to answer to.
    abort.abort("The call has ended");
    session.callEnds(call.id, abort);
  }
}

/**
 * Ends a call that waits at its runner for answers which will not come: they are refused, and what goes on
 * at the server then is cancelled. A refused question never begins anything anew.
 */
function giveUp(
  dispatch: Dispatch,
  session: Session,
  { call: { method, params, caller }, requests, state }: {
    readonly call: SessionCall;
    readonly requests: readonly InputRequest[];
    readonly state: string;
  },
): void {
  const reason = "The client has cancelled the call";
  const answers = new Map(requests.map(({ key }) => [key, refusal("call_cancelled", reason)]));
  const last = {
    method,
    params: nextParams(params, { state, answers }),
    caller,
    meta: metaOf(session),
    deadlineMs: GIVE_UP_MS,
  };
  let withdraw: Withdraw = () => {};
  const reply = {
    accepted: () => withdraw(reason),
    note: () => {},
    result: () => {},
    error: () => {},
  };
  dispatch.send(last, reply).then((sent) => withdraw = sent, () => {
    // Its runner is away, and the call with it.
  });
}

/** What a runner is told of a client of `session`. */
export function metaOf(session: Session): RequestMeta {
  return {
    protocolVersion: session.revision,
    clientCapabilities: session.capabilities,
    logLevel: session.logLevel,
  };
}

function sendRound(
  dispatch: Dispatch,
  session: Session,
  { call, params, outlet, signal }: {
    readonly call: SessionCall;
    readonly params: string;
    readonly outlet: Outlet;
    readonly signal: AbortSignal;
  },
): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    let withdraw: Withdraw | undefined;
    let leaves = false;
    const abort = (): void => {
      withdraw?.(String(signal.reason));
      reject(cancelled(signal, leaves ? "unknown" : "no"));
    };
    signal.addEventListener("abort", abort, { once: true });
    const end = (outcome: Outcome): void => {
      signal.removeEventListener("abort", abort);
      resolve(outcome);
    };
    const reply: Reply = {
      accepted: () => {},
      note: (notification) => {
        if (isNotification(notification)) outlet.note(notification);
      },
      result: (result, resultType) => end({ result, resultType }),
      error: (error) => end({ error }),
    };
    const { method, caller } = call;
    const outgoing = { method, params, caller, meta: metaOf(session) };
    const gone = (): boolean => {
      leaves = !signal.aborted;
      return signal.aborted;
    };
    dispatch.send(outgoing, reply, gone).then((sent) => {
      withdraw = sent;
      if (signal.aborted) sent(String(signal.reason));
    }, (error: unknown) => {
      signal.removeEventListener("abort", abort);
      reject(toGatewayError(error));
    });
  });
}

function cancelled({ reason }: AbortSignal, executed: "no" | "unknown"): GatewayError {
  const message = reason === BY_CLIENT
    ? "The client has cancelled the call"
    : `The call was cancelled: ${String(reason)}`;
  return new GatewayError("call_cancelled", message, { executed });
}

/** Asks everything at once; each answer goes under the key of its question. */
async function askAll(
  session: Session,
  { requests, outlet, signal }: {
    readonly requests: readonly InputRequest[];
    readonly outlet: Outlet;
    readonly signal: AbortSignal;
  },
): Promise<ReadonlyMap<string, ClientAnswer>> {
  const send = (message: string): boolean => outlet.ask(message);
  const answers = requests.map(async (request): Promise<readonly [string, ClientAnswer]> => {
    const { key, method, params, mode } = request;
    if (!mayAsk(session.capabilities, method, request)) {
      return [
        key,
        refusal("unknown_method", `The client has not declared that it serves ${method}`),
      ];
    }
    const asked = mode === "url" && params !== undefined ? withElicitationId(params) : params;
    return [key, await session.questions.ask({ method, params: asked, send, signal })];
  });
  return new Map(await Promise.all(answers));
}
