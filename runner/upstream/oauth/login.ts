/**
 * A login of the user to one upstream: the authorization code flow with PKCE (RFC 7636), whose parts
 * are the other files here.
 *
 *     ask the upstream ── 401 ──▶ discover ──▶ client ──▶ browser ──▶ callback ──▶ grant ──▶ store
 *
 * Called by the command `login`. Nothing else opens a browser.
 *
 * @module
 */
import type { Clock } from "../../../src/clock.ts";
import { GatewayError } from "../../../src/errors.ts";
import { printable } from "../../../src/log.ts";
import type { OAuthClient } from "../../config/config.ts";
import type { Dialer } from "../dial.ts";
import type { HeaderFields } from "../mirror.ts";
import { bearerChallenge, readScopes } from "./challenge.ts";
import { type CallbackServer, listenForCallback, readPasted } from "./callback.ts";
import { chooseClient } from "./client.ts";
import { discover, type Discovered } from "./discover.ts";
import { openFetch } from "./fetch.ts";
import { redeemCode } from "./grant.ts";
import { ask } from "./probe.ts";
import { secretOf, type StoredLogin, type TokenStore } from "./token-store.ts";

/** Milliseconds for the user to agree. */
const PATIENCE_MS = 5 * 60_000;

/** Which upstream, and with what. */
export interface LoginOptions {
  /** Name of the server in the config. */
  readonly server: string;
  readonly url: URL;
  /** Headers of the config, for the upstream alone. */
  readonly headers: HeaderFields;
  readonly oauth: OAuthClient | undefined;
  /** The secret of the config's client; undefined when that is a public one. */
  readonly clientSecret: (() => Promise<string>) | undefined;
  readonly store: TokenStore;
  readonly dialer: Dialer;
  readonly clock: Clock;
}

/** The user at the terminal. */
export interface LoginUser {
  /** Port of this machine where the browser comes back; 0 for one that is free. */
  readonly port: number;
  /** Shows the page where the user agrees, and opens it if that is possible. */
  show(url: URL): Promise<void>;
  /** Asks for the address at which a browser elsewhere has ended; undefined where nobody can be asked. */
  readonly paste: ((signal: AbortSignal) => Promise<string>) | undefined;
  /** Aborts when the user gives up. */
  readonly stopped: AbortSignal;
}

/** What came of a login. */
export interface LoginResult {
  readonly issuer: string;
  readonly scopes: readonly string[];
  /** Whether it renews itself. */
  readonly renews: boolean;
}

/**
 * Logs in, and keeps the tokens.
 *
 * @throws {GatewayError} `login_required` when it did not come to an end; `server_failed` and
 * `address_refused` as the parts do.
 */
export async function logIn(options: LoginOptions, user: LoginUser): Promise<LoginResult> {
  const { server, url, oauth, store, dialer, clock, clientSecret } = options;
  const fetch = openFetch(dialer, clock);
  const challenge = bearerChallenge(await ask(options));
  const found = await discover({
    url,
    reach: dialer.reach,
    fetch,
    resourceMetadata: challenge?.resourceMetadata,
  });
  const { server: metadata, resource } = found;
  const kept = await store.get(server);
  const same = kept?.url === url.href ? kept : undefined;
  if (same !== undefined) checkIssuer(same, metadata.issuer, options);
  const earlier = same?.issuer === metadata.issuer ? same : undefined;
  const scopes = chooseScopes(found, { challenged: challenge?.scopes, oauth, earlier });

  const { generateRandomCodeVerifier, generateRandomState, calculatePKCECodeChallenge } =
    await import("oauth4webapi");
  const [state, verifier] = [generateRandomState(), generateRandomCodeVerifier()];
  const callback = await listenForCallback(state, { port: user.port, better: portOf(earlier) });
  const { redirectUri } = callback;
  try {
    const choice = { server, oauth, metadata, redirectUri, earlier, fetch, now: clock.now() };
    const client = await chooseClient(choice);
    const page = new URL(metadata.authorization_endpoint);
    const params = {
      response_type: "code",
      client_id: client.id,
      redirect_uri: redirectUri,
      code_challenge: await calculatePKCECodeChallenge(verifier),
      code_challenge_method: "S256",
      state,
      resource,
      ...(scopes.length > 0 && { scope: scopes.join(" ") }),
    };
    for (const [name, value] of Object.entries(params)) page.searchParams.set(name, value);
    await user.show(page);
    const answer = await waitForAnswer(callback, user, clock);
    const { issuer, token_endpoint: tokenEndpoint, revocation_endpoint: revocationEndpoint } =
      metadata;
    const secret = await secretOf(client, clientSecret);
    const granter = { issuer, tokenEndpoint, client, secret, fetch, now: clock.now() };
    const tokens = await redeemCode(granter, {
      callback: answer,
      state,
      issRequired: metadata.authorization_response_iss_parameter_supported === true,
      redirectUri,
      verifier,
      resource,
    });
    await store.exclusive(server, () =>
      store.set(server, {
        url: url.href,
        resource,
        issuer,
        tokenEndpoint,
        ...(revocationEndpoint !== undefined && { revocationEndpoint }),
        client,
        scopes: [...scopes],
        wanted: [],
        tokens,
      }));
    return { issuer, scopes, renews: tokens.refresh !== undefined };
  } finally {
    callback.close();
  }
}

/**
 * A client id of the config is one of the authorization server that it was used with before (MCP
 * 2026-07-28 basic/authorization/client-registration "Authorization Server Binding").
 */
function checkIssuer(
  { issuer: before, client }: StoredLogin,
  issuer: string,
  { oauth, server }: LoginOptions,
): void {
  const bound = !client.registered && !client.id.startsWith("https://");
  if (before === issuer || !bound || client.id !== oauth?.clientId) return;
  throw new GatewayError(
    "login_required",
    `Cannot log in to server "${server}": it names another authorization server than before ` +
      `(${printable(issuer).slice(0, 200)}), to which the clientId of mcp-runner.yaml does not ` +
      `belong; if that is meant, run mcp-runner logout ${server} first`,
  );
}

/** The port that an earlier registration names; 0 without. */
function portOf(earlier: StoredLogin | undefined): number {
  const uri = earlier?.client.redirectUri;
  return uri === undefined ? 0 : Number(new URL(uri).port);
}

/** MCP 2026-07-28 basic/authorization "Scope Selection Strategy", and what was wanted before. */
function chooseScopes(
  { scopes: supported, server: { scopes_supported: known } }: Discovered,
  { challenged, oauth, earlier }: {
    readonly challenged: readonly string[] | undefined;
    readonly oauth: OAuthClient | undefined;
    readonly earlier: StoredLogin | undefined;
  },
): readonly string[] {
  const configured = oauth?.scopes ?? [];
  const basic = challenged ?? (configured.length > 0 ? [] : supported ?? []);
  const scopes = readScopes([
    ...configured,
    ...basic,
    ...earlier?.scopes ?? [],
    ...earlier?.wanted ?? [],
  ]);
  // What makes some authorization servers give a refresh token.
  const offline = scopes.length > 0 && known?.includes("offline_access") === true;
  return offline ? readScopes([...scopes, "offline_access"]) : scopes;
}

/** The first answer, whichever way it comes. */
async function waitForAnswer(
  { answer, redirectUri }: CallbackServer,
  { paste, stopped }: LoginUser,
  clock: Clock,
): Promise<URLSearchParams> {
  const over = new AbortController();
  const ended = new Promise<never>((_, reject) => {
    const end = (why: string): void =>
      reject(new GatewayError("login_required", `Cannot log in: ${why}`));
    const cancel = clock.after(PATIENCE_MS, () => end("nobody has agreed within 5 minutes"));
    const stop = (): void => end("it was stopped");
    if (stopped.aborted) stop();
    stopped.addEventListener("abort", stop, { once: true });
    over.signal.addEventListener("abort", () => {
      cancel();
      stopped.removeEventListener("abort", stop);
    });
  });
  const pasted = async (): Promise<URLSearchParams> => {
    for (;;) {
      const text = await paste?.(over.signal);
      // Nobody can be asked: the browser will come.
      if (text === undefined) return await answer;
      const params = readPasted(text, redirectUri);
      if (params !== undefined) return params;
    }
  };
  try {
    return await Promise.race([answer, pasted(), ended]);
  } finally {
    over.abort();
  }
}
