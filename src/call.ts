/**
 * The canonical call: what travels between home and gateway, whatever the client and the server
 * speak. It has the form of MCP 2026-07-28: stateless, so that every call names its protocol version,
 * the client's capabilities, the caller and a deadline.
 *
 * @module
 */
import type { HeaderOf } from "./tunnel/frame.ts";

/** A call as the gateway gets it. */
export interface Call extends Omit<HeaderOf<"call">, "type"> {
  /** Raw JSON text of the request's `params`; empty when it had none. */
  readonly params: string;
}

/** What a call may cause at its caller. After `result` or `error` nothing more comes. */
export interface Reply {
  /** The call reached its server: from here on it may have run. */
  accepted(): void;
  /** A JSON-RPC notification of this call, as raw text. */
  note(notification: string): void;
  /** The raw text of the result; `resultType` as in it, undefined for `complete`. */
  result(result: string, resultType?: string): void;
  /** The raw text of a JSON-RPC error object; `status` if it refuses the whole HTTP request. */
  error(error: string, status?: HeaderOf<"error">["status"]): void;
}
