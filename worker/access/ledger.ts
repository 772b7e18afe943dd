/**
 * The tokens that a deployment has given out, one entry of the store each (docs/storage.md).
 *
 * A token stays listed for a while after it was revoked or has expired, so that its holder can be
 * told why it no longer opens anything.
 *
 * @module
 */
import * as v from "valibot";
import { MAX_LIST_LIMIT } from "../store/limits.ts";
import type { Change, Store } from "../store/store.ts";
import { sameDigest, sha256 } from "./digest.ts";
import { accept, laterThan, tokenName, toolPatterns, tunnelName } from "./input.ts";
import {
  type Bearer,
  type ClientToken,
  drawBearer,
  idOf,
  kindOf,
  type Token,
  token,
  TOKEN_KINDS,
  tokenId,
  type TokenKind,
  type TunnelToken,
} from "./token.ts";

/** What the maker of a token chooses. */
export interface TokenRequest {
  /** 1 to 32 of a-z, 0-9 and "-". */
  readonly tunnel: string;
  /** At most 64 printable characters. */
  readonly name: string;
  /** Milliseconds since the epoch; absent = it does not expire. */
  readonly expiresAt?: number;
  /** Milliseconds since the epoch. */
  readonly now?: () => number;
}

/** What the maker of a client token chooses. */
export interface ClientTokenRequest extends TokenRequest {
  /** Patterns over qualified tool names; an empty list allows nothing. */
  readonly tools: readonly string[];
}

/** A new token, and the only copy of what its holder presents. */
export interface Minted<Kind extends Token> {
  readonly bearer: string;
  readonly token: Kind;
}

/** A new token that is not stored yet, and the change that stores it. */
export interface Draft<Kind extends Token> extends Minted<Kind> {
  readonly change: Required<Pick<Change, "check" | "set">>;
}

/**
 * How long a token is remembered after it was revoked or has expired, in milliseconds: 90 days, longer
 * than a machine lies in a drawer.
 */
export const TOMBSTONE_MS = 90 * 24 * 60 * 60 * 1000;

const stored = v.object({ digest: v.string(), token });

/**
 * Gives out a token to a client.
 *
 * @throws {GatewayError} `invalid_request` for a tunnel, a name, a time or patterns that cannot be.
 */
export async function createClientToken(
  store: Store,
  request: ClientTokenRequest,
): Promise<Minted<ClientToken>> {
  const tools = accept(toolPatterns, request.tools, "list of tool patterns");
  for (;;) {
    const drawn = await drawBearer("client");
    const token: ClientToken = { kind: "client", ...fieldsOf(request, drawn), tools };
    // The commit fails only if another token has this id, so another is drawn.
    if (await store.commit(changeOf(token, drawn))) return { bearer: drawn.bearer, token };
  }
}

/**
 * Gives out a token to a runner.
 *
 * @throws {GatewayError} `invalid_request` for a tunnel, a name or a time that cannot be.
 */
export async function createTunnelToken(
  store: Store,
  request: TokenRequest,
): Promise<Minted<TunnelToken>> {
  for (;;) {
    const { bearer, token, change } = await draftTunnelToken(request);
    if (await store.commit(change)) return { bearer, token };
  }
}

/** A token for a runner that is stored by `change`, for a commit that does more than that. */
export async function draftTunnelToken(request: TokenRequest): Promise<Draft<TunnelToken>> {
  const drawn = await drawBearer("tunnel");
  const token: TunnelToken = { kind: "tunnel", ...fieldsOf(request, drawn) };
  return { bearer: drawn.bearer, token, change: changeOf(token, drawn) };
}

/** The token that `bearer` is, revoked and expired ones too; undefined when there is none. */
export async function findToken(store: Store, bearer: string): Promise<Token | undefined> {
  const kind = kindOf(bearer);
  if (kind === undefined) return undefined;
  const digest = await sha256(bearer);
  const entry = await store.get(keyOf(kind, idOf(digest)));
  if (entry === undefined) return undefined;
  const kept = v.parse(stored, JSON.parse(entry.value));
  return sameDigest(kept.digest, digest) ? kept.token : undefined;
}

/** The tokens of one kind, or of both, oldest first; at most 1,000 of each. */
export async function listTokens(store: Store, kind?: TokenKind): Promise<readonly Token[]> {
  const kinds = kind === undefined ? TOKEN_KINDS : [kind];
  const lists = await Promise.all(kinds.map((one) => store.list(`token/${one}/`, MAX_LIST_LIMIT)));
  return lists.flat()
    .map(([, { value }]) => v.parse(stored, JSON.parse(value)).token)
    .toSorted((a, b) => a.createdAt - b.createdAt);
}

/**
 * Ends the token `id` for good; a token that is revoked already keeps its time.
 *
 * @param now Milliseconds since the epoch.
 * @returns The token as it is now, or undefined when there is none of that id.
 */
export async function revokeToken(
  store: Store,
  id: string,
  now: () => number = Date.now,
): Promise<Token | undefined> {
  if (!v.is(tokenId, id)) return undefined;
  for (const kind of TOKEN_KINDS) {
    const key = keyOf(kind, id);
    // Only another revocation can come between, so the second round finds the token revoked.
    for (let entry = await store.get(key); entry !== undefined; entry = await store.get(key)) {
      const kept = v.parse(stored, JSON.parse(entry.value));
      if (kept.token.revokedAt !== undefined) return kept.token;
      const revoked: Token = { ...kept.token, revokedAt: now() };
      const value = JSON.stringify({ digest: kept.digest, token: revoked });
      const committed = await store.commit({
        check: [{ key, version: entry.version }],
        set: [{ key, value, ttlMs: TOMBSTONE_MS }],
      });
      if (committed) return revoked;
    }
  }
  return undefined;
}

function fieldsOf({ tunnel, name, expiresAt, now = Date.now }: TokenRequest, { id }: Bearer) {
  const createdAt = now();
  return {
    id,
    tunnel: accept(tunnelName, tunnel, "tunnel"),
    name: accept(tokenName, name, "name"),
    createdAt,
    ...(expiresAt === undefined
      ? {}
      : { expiresAt: accept(laterThan(createdAt), expiresAt, "time of expiry") }),
  };
}

function changeOf(token: Token, { digest }: Bearer): Draft<Token>["change"] {
  const key = keyOf(token.kind, token.id);
  const value = JSON.stringify({ digest, token });
  const { createdAt, expiresAt } = token;
  const life = expiresAt === undefined ? {} : { ttlMs: expiresAt - createdAt + TOMBSTONE_MS };
  return { check: [{ key, version: 0 }], set: [{ key, value, ...life }] };
}

function keyOf(kind: TokenKind, id: string): string {
  return `token/${kind}/${id}`;
}
