/**
 * What the runner's command line and the worker say to each other over HTTP about joining and tokens:
 * `POST /join`, and `/api/tokens` with a tunnel token as bearer.
 *
 * @module
 */
import * as v from "valibot";

/** Body of `POST /join`. */
export const joinRequest = v.object({ code: v.string(), machine: v.string() });

/** Answer to `POST /join`: the tunnel token, shown this once. */
export const joinResponse = v.object({
  token: v.pipe(v.string(), v.regex(/^mcpr_tunnel_[\w-]{43}$/)),
  tunnel: v.pipe(v.string(), v.regex(/^[a-z0-9-]{1,32}$/)),
});

/** Body of `POST /api/tokens`: a token for a client. */
export const createTokenRequest = v.object({
  name: v.string(),
  /** Patterns over qualified tool names. */
  tools: v.array(v.string()),
  /** Milliseconds since the epoch; absent = it does not expire. */
  expiresAt: v.optional(v.number()),
});

/** A token without its secret. */
export const listedToken = v.object({
  id: v.string(),
  kind: v.picklist(["client", "tunnel"]),
  name: v.string(),
  tunnel: v.string(),
  /** Absent for a tunnel token. */
  tools: v.optional(v.array(v.string())),
  createdAt: v.number(),
  expiresAt: v.optional(v.number()),
  revokedAt: v.optional(v.number()),
});

/** A token without its secret. */
export type ListedToken = v.InferOutput<typeof listedToken>;

/** Answer to `POST /api/tokens`: the secret, shown this once. */
export const createTokenResponse = v.object({
  token: v.pipe(v.string(), v.regex(/^mcpr_client_[\w-]{43}$/)),
  listed: listedToken,
});

/** Answer to `GET /api/tokens`. */
export const listTokensResponse = v.object({ tokens: v.array(listedToken) });

/** Answer to `DELETE /api/tokens/<id>`. */
export const revokeTokenResponse = v.object({ revoked: listedToken });
