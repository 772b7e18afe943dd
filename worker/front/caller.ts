/**
 * Who sends a request, in the form in which the front door tells it to a home.
 *
 * @module
 */
import * as v from "valibot";

const caller = v.object({
  client: v.string(),
  tunnel: v.string(),
  tools: v.array(v.string()),
  expiresAt: v.exactOptional(v.number()),
});

/** Who sends a request, as its token says: which client, for which tunnel, which tools. */
export interface Caller {
  /** Id of the client token: a name, not the secret. */
  readonly client: string;
  readonly tunnel: string;
  /** Patterns over qualified tool names. */
  readonly tools: readonly string[];
  /** When its token expires, ms since epoch; absent: never. */
  readonly expiresAt?: number;
}

/** Reads a caller that one part of the worker wrote for another. */
export function parseCaller(text: string): Caller {
  return v.parse(caller, JSON.parse(text));
}
