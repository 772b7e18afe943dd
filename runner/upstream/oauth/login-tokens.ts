import type { Clock } from "../../../src/clock.ts";
import { GatewayError } from "../../../src/errors.ts";
import { printable } from "../../../src/log.ts";
import type { Redactor } from "../../secrets/redactor.ts";
import type { AccessTokens } from "../access-tokens.ts";
import { readScopes } from "./challenge.ts";
import type { OAuthFetch } from "./fetch.ts";
import { refreshTokens } from "./grant.ts";
import type { StoredLogin, StoredTokens, TokenStore } from "./token-store.ts";

/** Tokens that an upstream may have seen and that are watched for in its errors. */
const MAX_SENT = 8;

/** Whose tokens, and where they are. */
export interface LoginTokensOptions {
  /** Name of the server in the config. */
  readonly server: string;
  /** Its URL; a login to another one is none. */
  readonly url: URL;
  readonly store: TokenStore;
  /** The secret of the config's client; undefined when that is a public one. */
  readonly clientSecret: (() => Promise<string>) | undefined;
  readonly redactor: Redactor;
  readonly fetch: OAuthFetch;
  readonly clock: Clock;
}

/** The tokens of a login that `mcp-runner login` has made, renewed as long as that works. */
export class LoginTokens implements AccessTokens {
  readonly sent: string[] = [];
  readonly #options: LoginTokensOptions;
  #tokens: StoredTokens | undefined;
  #renewing: Promise<string | undefined> | undefined;

  constructor(options: LoginTokensOptions) {
    this.#options = options;
  }

  async current(): Promise<string | undefined> {
    const tokens = this.#tokens ?? this.#take((await this.#read())?.tokens);
    if (tokens === undefined) return undefined;
    const now = this.#options.clock.now();
    if (now < (tokens.renewAt ?? Infinity)) return tokens.access;
    try {
      // An expired token that nothing renews is for the upstream to refuse: clocks differ.
      return await this.renew(tokens.access) ?? tokens.access;
    } catch (error) {
      if (now < (tokens.expiresAt ?? Infinity)) return tokens.access;
      throw error;
    }
  }

  async renew(refused: string): Promise<string | undefined> {
    if (this.#renewing === undefined) {
      this.#renewing = this.#renew(refused).finally(() => this.#renewing = undefined);
    }
    return await this.#renewing;
  }

  missing(): GatewayError {
    return new GatewayError(
      "login_required",
      `Cannot use upstream ${this.#options.url.host}: it wants credentials (HTTP 401), run ` +
        `mcp-runner login ${this.#options.server}, or give it a header in mcp-runner.yaml`,
    );
  }

  async insufficient(scopes: readonly string[]): Promise<GatewayError> {
    const { server, store, url } = this.#options;
    const wanted = readScopes(scopes);
    // The next call looks for a new login, while this token is good for others.
    this.#tokens = undefined;
    await store.exclusive(server, async () => {
      const login = await this.#read();
      if (login === undefined) return;
      await store.set(server, { ...login, wanted: [...readScopes([...login.wanted, ...wanted])] });
    });
    const list = printable(wanted.join(" ")).slice(0, 200);
    return new GatewayError(
      "login_required",
      `Cannot use upstream ${url.host}: the login does not allow this${list && ` (${list})`}, ` +
        `run mcp-runner login ${server}`,
    );
  }

  /** One at a time on this machine: an authorization server that sees a refresh token twice ends the login. */
  async #renew(refused: string): Promise<string | undefined> {
    const { server, store, fetch, clock, clientSecret } = this.#options;
    // Before the lock is taken: it may ask another program.
    const registered = (await this.#read())?.client.registered === true;
    const configured = registered ? undefined : await clientSecret?.();
    return await store.exclusive(server, async () => {
      const login = await this.#read();
      const tokens = login?.tokens;
      this.#tokens = undefined;
      if (login === undefined || tokens === undefined) return undefined;
      // Another runner, or a new login, was faster.
      if (tokens.access !== refused) return this.#take(tokens)?.access;
      if (tokens.refresh === undefined) return undefined;
      const { issuer, tokenEndpoint, client, resource } = login;
      const secret = client.registered ? client.secret : configured;
      const granter = { issuer, tokenEndpoint, client, secret, fetch, now: clock.now() };
      const renewed = await refreshTokens(granter, tokens.refresh, resource);
      const { tokens: _, ...rest } = login;
      await store.set(server, renewed === undefined ? rest : { ...rest, tokens: renewed });
      return this.#take(renewed)?.access;
    });
  }

  async #read(): Promise<StoredLogin | undefined> {
    const login = await this.#options.store.get(this.#options.server);
    return login?.url === this.#options.url.href ? login : undefined;
  }

  #take(tokens: StoredTokens | undefined): StoredTokens | undefined {
    this.#tokens = tokens;
    if (tokens === undefined || this.sent.includes(tokens.access)) return tokens;
    this.sent.push(tokens.access);
    if (this.sent.length > MAX_SENT) this.sent.shift();
    const { server, redactor } = this.#options;
    redactor.add(`login ${server}`, tokens.access);
    if (tokens.refresh !== undefined) redactor.add(`login ${server}`, tokens.refresh);
    return tokens;
  }
}
