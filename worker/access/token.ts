/**
 * Tokens: what a client or a runner shows in `Authorization: Bearer` to be let in.
 *
 *     mcpr_client_<43 characters>   calls tools at the MCP endpoint
 *     mcpr_tunnel_<43 characters>   opens the tunnel
 *
 * The 43 characters are 256 random bits. They are shown once, when the token is made; kept is their
 * SHA-256, whose beginning is the id that people see and revoke by. `ledger.ts` keeps the tokens,
 * `join-code.ts` gives them to runners, `grants.ts` looks up what a presented one grants.
 *
 * @module
 */
import * as v from "valibot";
import { toBase64Url } from "../../src/base64url.ts";
import { sha256 } from "./digest.ts";
import { tokenName, toolPatterns, tunnelName } from "./input.ts";

/** What a token is good for. */
export type TokenKind = "client" | "tunnel";

/** Both kinds. */
export const TOKEN_KINDS: readonly TokenKind[] = ["client", "tunnel"];

const milliseconds = v.pipe(v.number(), v.integer());

/** Characters of the digest in an id: 48 bits, which nobody mistypes into another token's. */
const ID_LENGTH = 12;

/** Beginning of a token's digest; names the token wherever it is shown, and opens nothing. */
export const tokenId = v.pipe(v.string(), v.length(ID_LENGTH), v.hexadecimal());

const shared = {
  id: tokenId,
  /** The tunnel that the token calls or opens. */
  tunnel: tunnelName,
  /** Who has it: a name given by the owner, or by the machine that joined. */
  name: tokenName,
  /** Milliseconds since the epoch, as all times here. */
  createdAt: milliseconds,
  /** Absent = it does not expire. */
  expiresAt: v.exactOptional(milliseconds),
  revokedAt: v.exactOptional(milliseconds),
};

const clientToken = v.object({ kind: v.literal("client"), ...shared, tools: toolPatterns });
const tunnelToken = v.object({ kind: v.literal("tunnel"), ...shared });

/** A token as it is kept. */
export const token = v.variant("kind", [clientToken, tunnelToken]);

/** Lets a client call those tools of a tunnel whose qualified name matches one of `tools`. */
export type ClientToken = Readonly<v.InferOutput<typeof clientToken>>;

/** Lets a runner open a tunnel. */
export type TunnelToken = Readonly<v.InferOutput<typeof tunnelToken>>;

/** All that is known of a token, none of it secret. */
export type Token = ClientToken | TunnelToken;

/** A token's secret at the moment it is drawn, and what may be kept of it. */
export interface Bearer {
  /** What the holder presents. Shown once; nothing can bring it back. */
  readonly bearer: string;
  /** SHA-256 of it. */
  readonly digest: string;
  readonly id: string;
}

const BEARER = /^mcpr_(client|tunnel)_[\w-]{43}$/;

/** Draws the secret of a new token. */
export async function drawBearer(kind: TokenKind): Promise<Bearer> {
  const random = crypto.getRandomValues(new Uint8Array(32));
  const bearer = `mcpr_${kind}_${toBase64Url(random)}`;
  const digest = await sha256(bearer);
  return { bearer, digest, id: idOf(digest) };
}

/** The kind that `bearer` claims to be of; undefined for text that cannot be a token of ours. */
export function kindOf(bearer: string): TokenKind | undefined {
  const [, kind] = BEARER.exec(bearer) ?? [];
  return TOKEN_KINDS.find((one) => one === kind);
}

/** The id of the token whose digest is given. */
export function idOf(digest: string): string {
  return digest.slice(0, ID_LENGTH);
}

/** Whether `token` lets its holder in at the time `now`, and if not, why. */
export function stateOf(token: Token, now: number): "ok" | "revoked" | "expired" {
  if (token.revokedAt !== undefined) return "revoked";
  if (token.expiresAt !== undefined && token.expiresAt <= now) return "expired";
  return "ok";
}
