/**
 * What the front door hands to a home.
 *
 * @module
 */
import type { Caller } from "../front/caller.ts";

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
