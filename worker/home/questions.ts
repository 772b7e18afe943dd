/**
 * What servers ask the client of one session (MCP 2025-11-25 client/elicitation, client/sampling,
 * client/roots): JSON-RPC requests of ours, and the responses that the client posts.
 *
 * @module
 */
import * as v from "valibot";
import { toBase64Url } from "../../src/base64url.ts";
import type { Clock } from "../../src/clock.ts";
import { GatewayError, toRpcError } from "../../src/errors.ts";
import type { ClientMessage } from "./message.ts";

/** Milliseconds for which a question waits: people answer it. */
const ANSWER_MS = 5 * 60_000;

/** Questions of one session that wait at a time. */
const MAX_OPEN = 64;

/** Longest `data` of a client's error that is passed on, in UTF-16 code units. */
const MAX_ERROR_DATA_LENGTH = 16 * 1024;

/** Longest message of a client's error that is passed on, in UTF-16 code units. */
const MAX_ERROR_MESSAGE_LENGTH = 4 * 1024;

/** A client's answer: the raw text of its result, or of its error object. */
export type ClientAnswer = { readonly result: string } | { readonly error: string };

/** A question to be asked. */
export interface Question {
  readonly method: string;
  /** Raw JSON text; undefined for none. */
  readonly params: string | undefined;
  /** Sends a message to the client; false when there is no way to it. */
  readonly send: (message: string) => boolean;
  /** Aborts when nobody needs the answer any more. */
  readonly signal: AbortSignal;
}

const errorObject = v.object({
  code: v.pipe(v.number(), v.integer()),
  message: v.string(),
  data: v.exactOptional(v.unknown()),
});

/** The open questions of one session. */
export class Questions {
  readonly #clock: Clock;
  readonly #open = new Map<string, (answer: ClientAnswer) => void>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * Asks the client. Whatever prevents an answer becomes an error in its place.
   *
   * @throws {GatewayError} `server_failed` when there is no way to the client.
   */
  ask({ method, params, send, signal }: Question): Promise<ClientAnswer> {
    if (this.#open.size >= MAX_OPEN) {
      return Promise.resolve(refusal("overloaded", "The client has too many open questions"));
    }
    const id = JSON.stringify(`ask-${toBase64Url(crypto.getRandomValues(new Uint8Array(16)))}`);
    const withParams = params === undefined ? "" : `,"params":${params}`;
    const { promise, resolve } = Promise.withResolvers<ClientAnswer>();
    const withdraw = (reason: string, answer: ClientAnswer): void => {
      const cancelled = { requestId: JSON.parse(id) as unknown, reason };
      send(
        `{"jsonrpc":"2.0","method":"notifications/cancelled","params":${
          JSON.stringify(cancelled)
        }}`,
      );
      settle(answer);
    };
    const abort = (): void =>
      withdraw("The call has ended", refusal("call_cancelled", "The call was cancelled"));
    const stopTimer = this.#clock.after(ANSWER_MS, () =>
      withdraw(
        "Nobody answered in time",
        refusal("call_timeout", `The client did not answer within ${ANSWER_MS / 1000} s`),
      ));
    const settle = (answer: ClientAnswer): void => {
      stopTimer();
      signal.removeEventListener("abort", abort);
      this.#open.delete(id);
      resolve(answer);
    };
    this.#open.set(id, settle);
    signal.addEventListener("abort", abort);
    if (!send(`{"jsonrpc":"2.0","id":${id},"method":"${method}"${withParams}}`)) {
      settle({ error: "" });
      return Promise.reject(unreachable());
    }
    return promise;
  }

  /** Takes a JSON-RPC response of the session's client; one that answers nothing is ignored. */
  take({ id, rawMember }: Pick<ClientMessage, "id" | "rawMember">): void {
    if (id === undefined) return;
    // However the client spells it.
    const settle = this.#open.get(JSON.stringify(JSON.parse(id)));
    settle?.(readAnswer(rawMember("result"), rawMember("error")));
  }
}

function readAnswer(result: string | undefined, error: string | undefined): ClientAnswer {
  if (error === undefined) {
    if (result?.startsWith("{")) return { result };
    return refusal("invalid_params", "The client answered with something that is no result");
  }
  const parsed = v.safeParse(errorObject, JSON.parse(error));
  if (!parsed.success) {
    return refusal("invalid_params", "The client answered with something that is no error");
  }
  const { code, message, data } = parsed.output;
  const keepsData = data !== undefined && JSON.stringify(data).length <= MAX_ERROR_DATA_LENGTH;
  return {
    error: JSON.stringify({
      code,
      message: message.slice(0, MAX_ERROR_MESSAGE_LENGTH),
      ...(keepsData && { data }),
    }),
  };
}

/** An answer that the home gives in place of the client. */
export function refusal(
  code: "overloaded" | "call_cancelled" | "call_timeout" | "invalid_params" | "unknown_method",
  message: string,
): ClientAnswer {
  return { error: JSON.stringify(toRpcError(new GatewayError(code, message))) };
}

function unreachable(): GatewayError {
  return new GatewayError(
    "server_failed",
    "Cannot ask the client what the server needs: accept text/event-stream, or keep a GET stream open",
    { executed: "unknown" },
  );
}
