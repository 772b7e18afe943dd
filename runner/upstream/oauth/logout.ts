import { GatewayError } from "../../../src/errors.ts";
import { type OAuthFetch, openFetch } from "./fetch.ts";
import { revokeToken } from "./grant.ts";
import type { LoginOptions } from "./login.ts";
import { secretOf, type StoredLogin } from "./token-store.ts";

/** What became of a logout. */
export type Logout = "none" | "forgotten" | "revoked";

/**
 * Ends the tokens of a server at its authorization server, if that can be asked, and forgets them
 * whatever it says.
 */
export async function logOut(
  { server, url, store, dialer, clock, clientSecret }: LoginOptions,
): Promise<Logout> {
  const login = await store.get(server);
  if (login === undefined) return "none";
  let revoked = false;
  try {
    // A login to another URL is of an older config: its hosts are not those of this one.
    if (login.url === url.href) {
      revoked = await revoke(login, openFetch(dialer, clock), clientSecret, clock.now());
    }
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error;
  }
  await store.exclusive(server, () => store.remove(server));
  return revoked ? "revoked" : "forgotten";
}

async function revoke(
  login: StoredLogin,
  fetch: OAuthFetch,
  clientSecret: LoginOptions["clientSecret"],
  now: number,
): Promise<boolean> {
  const { tokens, client, issuer, tokenEndpoint, revocationEndpoint } = login;
  if (tokens === undefined) return false;
  const secret = await secretOf(client, clientSecret);
  const granter = { issuer, tokenEndpoint, revocationEndpoint, client, secret, fetch, now };
  // The end of a refresh token is that of its access tokens, at most servers (RFC 7009 §2.1).
  const all = [tokens.refresh, tokens.access].filter((token) => token !== undefined);
  const ended: boolean[] = [];
  for (const token of all) ended.push(await revokeToken(granter, token));
  return ended.every(Boolean);
}
