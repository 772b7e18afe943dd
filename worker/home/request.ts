/**
 * What the front door hands to a home.
 *
 * @module
 */
import { GatewayError } from "../../src/errors.ts";
import type { Caller } from "../front/caller.ts";

/** `Allow` of the MCP endpoint (RFC 9110 §10.2.1): GET and DELETE are for sessions. */
export const ALLOWED_METHODS = "POST, GET, DELETE, OPTIONS";

/** `WWW-Authenticate` of whoever presents no live token (RFC 9110 §11.6.1). */
export const CHALLENGE = 'Bearer realm="mcp-runner"';

/** A request to the MCP endpoint that the front door has let through. */
export interface McpRequest {
  readonly method: string;
  readonly headers: Headers;
  /** The body's text, already bounded and known to be UTF-8; empty unless POST. */
  readonly body: string;
  readonly caller: Caller;
  /** Aborts when the client leaves, on the runtimes that know. */
  readonly signal: AbortSignal;
}

/** The refusal of an HTTP method that the endpoint does not serve, or not without a session. */
export function methodNotAllowed(): GatewayError {
  return new GatewayError(
    "method_not_allowed",
    "Cannot serve this HTTP method: send POST, or GET and DELETE with the id of a session",
  );
}
