/**
 * Asks a token endpoint for tokens, and a revocation endpoint to end them (RFC 6749, RFC 7009). The
 * protocol is that of oauth4webapi; the connections are ours.
 *
 * @module
 */
import type {
  AuthorizationServer,
  Client,
  ClientAuth,
  CustomFetchOptions,
  TokenEndpointRequestOptions,
  TokenEndpointResponse,
} from "oauth4webapi";
import * as v from "valibot";
import { GatewayError } from "../../../src/errors.ts";
import { printable } from "../../../src/log.ts";
import type { OAuthFetch } from "./fetch.ts";
import type { StoredClient, StoredTokens } from "./token-store.ts";

/** How long before its end a token is renewed, in milliseconds. */
const MARGIN_MS = 60_000;

/** Longest life of a token that is believed, in seconds: ten years. */
const MAX_LIFE_S = 10 * 365 * 86_400;

/** Longest token, in characters: it goes in a header. */
const MAX_TOKEN_LENGTH = 12 * 1024;

/** RFC 6750 §2.1: a token with anything else in it would break the header. */
const ACCESS_TOKEN = /^[A-Za-z0-9._~+/-]+=*$/;

const REFRESH_TOKEN = /^[\x20-\x7e]+$/;

/** The client was refused in a header (RFC 6749 §5.2). */
const challenged = v.object({ code: v.literal("OAUTH_WWW_AUTHENTICATE_CHALLENGE") });

const words = v.object({ error: v.string(), error_description: v.optional(v.string()) });

/** Who asks, and whom. */
export interface Granter {
  readonly issuer: string;
  readonly tokenEndpoint: string;
  readonly revocationEndpoint?: string | undefined;
  readonly client: StoredClient;
  /** The secret of the client, of the config or of its registration; undefined for a public one. */
  readonly secret: string | undefined;
  readonly fetch: OAuthFetch;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/** What comes back from the browser, and what it answers. */
export interface CodeGrant {
  readonly callback: URLSearchParams;
  readonly state: string;
  readonly issRequired: boolean;
  readonly redirectUri: string;
  readonly verifier: string;
  readonly resource: string;
}

/**
 * Trades the code of an authorization response for tokens, when the response is from whom it must be:
 * same state, same issuer (RFC 9207 §2.4).
 *
 * @throws {GatewayError} `login_required` when it is not, or the user has refused; `server_failed`.
 */
export async function redeemCode(
  granter: Granter,
  { callback, state, issRequired, redirectUri, verifier, resource }: CodeGrant,
): Promise<StoredTokens> {
  const { as, client, auth, options, oauth } = await parts(granter);
  const server = { ...as, authorization_response_iss_parameter_supported: issRequired };
  let params: URLSearchParams;
  try {
    params = oauth.validateAuthResponse(server, client, callback, state);
  } catch (cause) {
    const refused = cause instanceof oauth.AuthorizationResponseError;
    throw new GatewayError(
      "login_required",
      refused
        ? `Cannot log in: the authorization server says ${said(cause)}`
        : "Cannot log in: what came back from the browser is not the answer to this login",
      { cause },
    );
  }
  return await granted(granter, undefined, async () => {
    const response = await oauth.authorizationCodeGrantRequest(
      server,
      client,
      auth,
      params,
      redirectUri,
      verifier,
      { ...options, additionalParameters: { resource } },
    );
    return await oauth.processAuthorizationCodeResponse(server, client, response);
  });
}

/**
 * Asks for new tokens.
 *
 * @param refresh The refresh token; it is kept when no other one comes back.
 * @returns undefined when the authorization server takes it no more.
 * @throws {GatewayError} `server_failed` when there is no telling now.
 */
export async function refreshTokens(
  granter: Granter,
  refresh: string,
  resource: string,
): Promise<StoredTokens | undefined> {
  const { as, client, auth, options, oauth } = await parts(granter);
  try {
    return await granted(granter, refresh, async () => {
      const response = await oauth.refreshTokenGrantRequest(as, client, auth, refresh, {
        ...options,
        additionalParameters: { resource },
      });
      return await oauth.processRefreshTokenResponse(as, client, response);
    });
  } catch (error) {
    if (error instanceof GatewayError && error.code === "login_required") return undefined;
    throw error;
  }
}

/** Ends a token at the authorization server. False when that has no such endpoint, or does not do it. */
export async function revokeToken(granter: Granter, token: string): Promise<boolean> {
  if (granter.revocationEndpoint === undefined) return false;
  const { as, client, auth, options, oauth } = await parts(granter);
  try {
    await oauth.processRevocationResponse(
      await oauth.revocationRequest(as, client, auth, token, options),
    );
    return true;
  } catch {
    return false;
  }
}

/** What oauth4webapi needs for any request. */
async function parts(granter: Granter): Promise<{
  readonly oauth: typeof import("oauth4webapi");
  readonly as: AuthorizationServer;
  readonly client: Client;
  readonly auth: ClientAuth;
  readonly options: TokenEndpointRequestOptions;
}> {
  // Loaded here: most runs never log in.
  const oauth = await import("oauth4webapi");
  const { issuer, tokenEndpoint, revocationEndpoint, client, secret = "", fetch } = granter;
  const send = async (
    url: string,
    { headers, body }: CustomFetchOptions<"POST", URLSearchParams>,
  ): Promise<Response> =>
    withoutIdentity(
      await fetch(new URL(url), { method: "POST", headers, body: body.toString() }),
    );
  return {
    oauth,
    as: {
      issuer,
      token_endpoint: tokenEndpoint,
      ...(revocationEndpoint !== undefined && { revocation_endpoint: revocationEndpoint }),
    },
    client: { client_id: client.id },
    auth: client.auth === "none"
      ? oauth.None()
      : client.auth === "client_secret_post"
      ? oauth.ClientSecretPost(secret)
      : oauth.ClientSecretBasic(secret),
    options: {
      [oauth.customFetch]: send,
      // oxlint-disable-next-line typescript/no-deprecated -- for a server on this machine, as the dialer checks
      ...(tokenEndpoint.startsWith("http:") && { [oauth.allowInsecureRequests]: true }),
    },
  };
}

/** The response without an ID token: who the user is, nobody here asks, and none is refused for it. */
async function withoutIdentity(response: Response): Promise<Response> {
  if (response.status !== 200) return response;
  const { status, headers } = response;
  const text = await response.text();
  try {
    const { id_token: _, ...rest } = JSON.parse(text) as Record<string, unknown>;
    return new Response(JSON.stringify(rest), { status, headers });
  } catch {
    return new Response(text, { status, headers });
  }
}

async function granted(
  { issuer, now }: Granter,
  earlier: string | undefined,
  ask: () => Promise<TokenEndpointResponse>,
): Promise<StoredTokens> {
  const failure = (what: string, cause?: unknown): GatewayError =>
    new GatewayError(
      "server_failed",
      `Cannot get a token of ${printable(issuer).slice(0, 200)}: ${what}`,
      { cause },
    );
  let answer: TokenEndpointResponse;
  try {
    answer = await ask();
  } catch (cause) {
    if (cause instanceof GatewayError) throw cause;
    const refusal = v.safeParse(words, cause);
    if (v.is(challenged, cause)) {
      throw new GatewayError("login_required", "Cannot log in: the client is not known there", {
        cause,
      });
    }
    if (refusal.success) {
      const { error } = refusal.output;
      const over = ["invalid_grant", "invalid_client", "unauthorized_client"].includes(error);
      throw over
        ? new GatewayError("login_required", `Cannot log in: it says ${said(cause)}`, { cause })
        : failure(`it says ${said(cause)}`, cause);
    }
    throw failure("its answer is not as RFC 6749 says", cause);
  }
  const { access_token: access, refresh_token: refresh = earlier, expires_in: life } = answer;
  if (answer.token_type.toLowerCase() !== "bearer") throw failure("its token is no bearer token");
  if (!ACCESS_TOKEN.test(access) || access.length > MAX_TOKEN_LENGTH) {
    throw failure("its token has characters that no token has, or too many");
  }
  if (
    refresh !== undefined && (!REFRESH_TOKEN.test(refresh) || refresh.length > MAX_TOKEN_LENGTH)
  ) {
    throw failure("its refresh token has characters that no token has, or too many");
  }
  if (life === undefined) return { access, ...(refresh !== undefined && { refresh }) };
  const lifeMs = Math.min(Math.max(life, 0), MAX_LIFE_S) * 1000;
  return {
    access,
    ...(refresh !== undefined && { refresh }),
    expiresAt: now + lifeMs,
    renewAt: now + Math.max(lifeMs - MARGIN_MS, lifeMs / 2),
  };
}

/** The words of an authorization server's error, fit to be shown. */
function said(error: unknown): string {
  const parsed = v.safeParse(words, error);
  if (!parsed.success) return "no more";
  const { error: name, error_description: description = "" } = parsed.output;
  const text = description === "" ? name : `${name}: ${description}`;
  return JSON.stringify(printable(text).slice(0, 300));
}
