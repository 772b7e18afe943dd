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
  readonly token: Promise<Token | undefined>;
}

/**
 * A function that says what a presented token grants.
 *
 * It remembers tokens that exist, by their own text, in memory alone. Made-up ones are looked up each
 * time and forgotten, so that guessing fills no memory and a new token is good at once. Requests that
 * come together for one token share one look into the store.
 */
export function grantFinder(
  store: Store,
  { now = Date.now, cacheMs = CACHE_MS }: GrantOptions = {},
): (bearer: string) => Promise<GrantResult> {
  const remembered = new Map<string, Remembered>();

  async function forgetUnlessFound(bearer: string, asked: Remembered): Promise<void> {
    try {
      if (await asked.token !== undefined) return;
    } catch {
      // Whoever asked gets this error; here it means only that nothing was found.
    }
    if (remembered.get(bearer) === asked) remembered.delete(bearer);
  }

  function ask(bearer: string): Promise<Token | undefined> {
    const asked: Remembered = { askedAt: now(), token: findToken(store, bearer) };
    // Deleted first, so that the order of the map is the order of asking.
    remembered.delete(bearer);
    remembered.set(bearer, asked);
    const [oldest] = remembered.keys();
    if (remembered.size > CACHE_SIZE && oldest !== undefined) remembered.delete(oldest);
    void forgetUnlessFound(bearer, asked);
    return asked.token;
  }

  return async (bearer) => {
    const known = remembered.get(bearer);
    // An age below zero is a clock that was set back: how old the answer is, nobody knows.
    const age = now() - (known?.askedAt ?? 0);
    const fresh = known !== undefined && age >= 0 && age < cacheMs;
    const token = await (fresh ? known.token : ask(bearer));
    if (token === undefined) return { status: "unknown" };
    const state = stateOf(token, now());
    return state === "ok" ? { status: "ok", grant: token } : { status: state };
  };
}
