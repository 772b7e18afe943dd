/**
 * Who a presented bearer token is: asked for every HTTP request, so the answer is remembered for a
 * moment, yet a revoked token stops within seconds.
 *
 * @module
 */
import type { Store } from "../store/store.ts";
import { findToken } from "./ledger.ts";
import { stateOf, type Token } from "./token.ts";

/** What a live token grants: to a client its tools, to a runner its tunnel. */
export type Grant = Token;

/** The answer for one presented token. Only a runner is told more than "no": see `authenticate.ts`. */
export type GrantResult =
  | { readonly status: "ok"; readonly grant: Grant }
  | { readonly status: "unknown" | "revoked" | "expired" };

/** How grants are looked up. */
export interface GrantOptions {
  /** Milliseconds since the epoch. */
  readonly now?: () => number;
  /** How long a stored token is believed without looking again, in milliseconds. */
  readonly cacheMs?: number;
}

/** Two seconds, so that a revocation is felt within five whatever the store and the network add. */
const CACHE_MS = 2000;

/** Tokens that are remembered at most, the oldest dropped first: a bound on memory, hardly reached. */
const CACHE_SIZE = 10_000;

interface Remembered {
  /** When the store was asked, which is before it answered. */
  readonly askedAt: number;
  readonly token: Token;
}

/**
 * A function that says what a presented token grants.
 *
 * It remembers tokens that exist, by their own text, in memory alone. Made-up ones are looked up each
 * time and forgotten, so that guessing fills no memory and a new token is good at once. Only answers
 * are shared between requests, never the wait for one: on Cloudflare a request that is cancelled
 * takes what it was waiting for with it.
 */
export function grantFinder(
  store: Store,
  { now = Date.now, cacheMs = CACHE_MS }: GrantOptions = {},
): (bearer: string) => Promise<GrantResult> {
  const remembered = new Map<string, Remembered>();

  function recall(bearer: string, at: number): Token | undefined {
    const known = remembered.get(bearer);
    if (known === undefined) return undefined;
    // An age below zero is a clock that was set back: how old the answer is, nobody knows.
    const age = at - known.askedAt;
    return age >= 0 && age < cacheMs ? known.token : undefined;
  }

  async function look(bearer: string, askedAt: number): Promise<Token | undefined> {
    const token = await findToken(store, bearer);
    // Deleted first, so that the order of the map is the order of answers.
    remembered.delete(bearer);
    if (token === undefined) return undefined;
    remembered.set(bearer, { askedAt, token });
    const [oldest] = remembered.keys();
    if (remembered.size > CACHE_SIZE && oldest !== undefined) remembered.delete(oldest);
    return token;
  }

  return async (bearer) => {
    const at = now();
    const token = recall(bearer, at) ?? await look(bearer, at);
    if (token === undefined) return { status: "unknown" };
    const state = stateOf(token, now());
    return state === "ok" ? { status: "ok", grant: token } : { status: state };
  };
}
