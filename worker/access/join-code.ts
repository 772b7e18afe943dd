/**
 * Join codes: how a runner on another machine gets its first tunnel token.
 *
 *     worker   ensureJoinCode / newJoinCode   prints XXXX-XXXX to its owner, keeps the SHA-256
 *     owner    types it into `mcp-runner connect` on the machine that joins
 *     worker   redeemJoinCode                 code gone and token stored, in one commit
 *
 * A code is 8 letters of 20 (RFC 8628 §6.1): 34.6 bits, easy to type, impossible to hit in a handful
 * of tries. It lives for 10 minutes, works once, and dies with the fifth wrong try that is made while
 * it lives, whoever makes it. Everything that is known of live codes is one entry of the store, changed
 * only on condition that it is still the one that was read. So a flood of guesses cannot slip past the
 * count, writes at most five times per code, leaves nothing behind, and keeps nobody from making the
 * next code.
 *
 * A digest of so short a text can be reversed by trying all texts. It keeps codes out of sight in
 * copies of the store; that a copy is of no use is due to their short life.
 *
 * @module
 */
import * as v from "valibot";
import { GatewayError } from "../../src/errors.ts";
import type { Change, Store } from "../store/store.ts";
import { sameDigest, sha256 } from "./digest.ts";
import { accept, tokenName, tunnelName } from "./input.ts";
import { drawJoinCode, formatJoinCode, readJoinCode } from "./join-code-text.ts";
import { draftTunnelToken, listTokens, type Minted } from "./ledger.ts";
import { stateOf, type TunnelToken } from "./token.ts";

/** How long a join code lives, in milliseconds (RFC 8628 §6.1: short; ours is 10 minutes). */
export const JOIN_CODE_LIFE_MS = 10 * 60 * 1000;

/** Wrong tries after which a code is dead. */
export const MAX_WRONG_TRIES = 5;

/** Codes that live at once at most; a further one ends the oldest. */
const MAX_LIVE_CODES = 8;

const KEY = "join/codes";

const liveCode = v.object({
  digest: v.string(),
  tunnel: v.string(),
  /** Milliseconds since the epoch. */
  expiresAt: v.number(),
  /** Wrong tries until it is dead. */
  triesLeft: v.number(),
});

const stored = v.array(liveCode);

type LiveCode = v.InferOutput<typeof liveCode>;

/** For whom a code is made. */
export interface JoinCodeRequest {
  /** The tunnel that the redeemer may open. */
  readonly tunnel: string;
  /** Milliseconds since the epoch. */
  readonly now?: () => number;
}

/** A code to be shown to the owner, once. */
export interface JoinCode {
  /** `XXXX-XXXX`. */
  readonly code: string;
  /** Milliseconds since the epoch. */
  readonly expiresAt: number;
}

/** What a machine that wants to join sends; all of it is untrusted. */
export interface Redemption {
  /** As it was typed. */
  readonly code: string;
  /** What the machine calls itself; names its token. */
  readonly machine: string;
  /** Milliseconds since the epoch. */
  readonly now?: () => number;
}

/** A new code beside those that live already. */
export async function newJoinCode(store: Store, request: JoinCodeRequest): Promise<JoinCode> {
  const { now = Date.now } = request;
  for (;;) {
    const made = await addCode(store, request, await readCodes(store, now()));
    if (made !== undefined) return made;
  }
}

/**
 * A new code if nobody could use the deployment otherwise: no code lives and no runner has a live
 * token. So a new worker prints one at its start, and only the first of several instances does.
 */
export async function ensureJoinCode(
  store: Store,
  request: JoinCodeRequest,
): Promise<JoinCode | undefined> {
  const { now = Date.now } = request;
  const codes = await readCodes(store, now());
  if (codes.live.length > 0) return undefined;
  const tokens = await listTokens(store, "tunnel");
  if (tokens.some((token) => stateOf(token, now()) === "ok")) return undefined;
  return await addCode(store, request, codes);
}

/**
 * Exchanges a code for a tunnel token that has the machine's name. Of many who come with one code at
 * once, one gets a token.
 *
 * @throws {GatewayError} `join_code_invalid`, the same for codes that never were, have expired, were
 * used or are locked; `invalid_request` for a name that cannot be, before the code is looked at.
 */
export async function redeemJoinCode(
  store: Store,
  { code, machine, now = Date.now }: Redemption,
): Promise<Minted<TunnelToken>> {
  const name = accept(tokenName, machine, "machine name");
  const letters = readJoinCode(code);
  // What cannot be a code is no guess: nobody gets nearer by it, so it costs the owner no try.
  if (letters === undefined) throw invalid();
  const digest = await sha256(letters);

  // Each round that fails is a write of somebody else, and there are five per code at most.
  for (;;) {
    const codes = await readCodes(store, now());
    if (codes.live.length === 0) throw invalid();
    // Every live code is compared, so that the time taken does not tell which one it was.
    const [match] = codes.live.filter((one) => sameDigest(one.digest, digest));
    if (match === undefined) {
      const left = codes.live.map((one) => ({ ...one, triesLeft: one.triesLeft - 1 }));
      if (await store.commit(codesChange(codes, left))) throw invalid();
    } else {
      const draft = await draftTunnelToken({ tunnel: match.tunnel, name, now });
      const change = codesChange(codes, codes.live.filter((one) => one !== match));
      const committed = await store.commit({
        check: [...change.check, ...draft.change.check],
        set: [...change.set, ...draft.change.set],
        del: change.del,
      });
      if (committed) return { bearer: draft.bearer, token: draft.token };
    }
  }
}

/** The live codes as they were read. */
interface Codes {
  /** When, in milliseconds since the epoch. */
  readonly readAt: number;
  /** 0 = there is no entry. */
  readonly version: number;
  readonly live: readonly LiveCode[];
}

async function readCodes(store: Store, readAt: number): Promise<Codes> {
  const entry = await store.get(KEY);
  if (entry === undefined) return { readAt, version: 0, live: [] };
  const codes = v.parse(stored, JSON.parse(entry.value));
  const live = codes.filter((code) => code.expiresAt > readAt);
  return { readAt, version: entry.version, live };
}

/** The new code, or undefined when the codes have changed since they were read. */
async function addCode(
  store: Store,
  { tunnel }: JoinCodeRequest,
  codes: Codes,
): Promise<JoinCode | undefined> {
  const letters = drawJoinCode();
  const code: LiveCode = {
    digest: await sha256(letters),
    tunnel: accept(tunnelName, tunnel, "tunnel"),
    expiresAt: codes.readAt + JOIN_CODE_LIFE_MS,
    triesLeft: MAX_WRONG_TRIES,
  };
  const live = [...codes.live, code].slice(-MAX_LIVE_CODES);
  if (!await store.commit(codesChange(codes, live))) return undefined;
  return { code: formatJoinCode(letters), expiresAt: code.expiresAt };
}

/** The change from the codes that were read to those of `next` that still have tries left. */
function codesChange(codes: Codes, next: readonly LiveCode[]): Required<Change> {
  const live = next.filter((code) => code.triesLeft > 0);
  const check = [{ key: KEY, version: codes.version }];
  if (live.length === 0) return { check, set: [], del: [KEY] };
  const ttlMs = Math.max(...live.map((code) => code.expiresAt)) - codes.readAt;
  return { check, set: [{ key: KEY, value: JSON.stringify(live), ttlMs }], del: [] };
}

function invalid(): GatewayError {
  return new GatewayError(
    "join_code_invalid",
    "Cannot join with this code: it is wrong, used, older than 10 minutes, or was tried too " +
      "often; make a new one at the worker",
  );
}
