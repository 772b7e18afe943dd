import * as v from "valibot";

const client = v.object({
  id: v.string(),
  /** Given by the authorization server when it registered us; one of the config is not kept here. */
  secret: v.optional(v.string()),
  /** Milliseconds since the epoch; undefined when it does not end. */
  secretExpiresAt: v.optional(v.number()),
  /** Whether the authorization server was asked for this id: it is good there alone. */
  registered: v.boolean(),
  /** What it was registered with: some authorization servers take no other, not even another port. */
  redirectUri: v.optional(v.string()),
  auth: v.picklist(["none", "client_secret_basic", "client_secret_post"]),
});

const tokens = v.object({
  access: v.string(),
  refresh: v.optional(v.string()),
  /** Milliseconds since the epoch; undefined when the authorization server does not say. */
  expiresAt: v.optional(v.number()),
  /** From then on a new one is asked for before this one is used. */
  renewAt: v.optional(v.number()),
});

const login = v.object({
  /** URL of the server as the config has it: the tokens go nowhere else. */
  url: v.string(),
  /** What the tokens are for, as the authorization server was told (RFC 8707). */
  resource: v.string(),
  issuer: v.string(),
  tokenEndpoint: v.string(),
  revocationEndpoint: v.optional(v.string()),
  client,
  /** What was asked for. */
  scopes: v.array(v.string()),
  /** What the server has wanted since, for the next login. */
  wanted: v.array(v.string()),
  /** None when the authorization server takes them no more. */
  tokens: v.optional(tokens),
});

/** A login to one server, as it is kept. */
export type StoredLogin = v.InferOutput<typeof login>;

/** How we are known to an authorization server. */
export type StoredClient = v.InferOutput<typeof client>;

/** The tokens of a login. */
export type StoredTokens = v.InferOutput<typeof tokens>;

/** The secret of a client: of its registration, or what `configured` gives; undefined for a public one. */
export async function secretOf(
  client: StoredClient,
  configured: (() => Promise<string>) | undefined,
): Promise<string | undefined> {
  return client.registered ? client.secret : await configured?.();
}

/** Where logins are kept, one for each server of the config, for all runners of this machine. */
export interface TokenStore {
  /** The login of a server, as another process may have just left it. */
  get(server: string): Promise<StoredLogin | undefined>;
  set(server: string, login: StoredLogin): Promise<void>;
  remove(server: string): Promise<void>;
  /**
   * Runs `work` while no other process does for the same server. It takes less than ten seconds.
   *
   * @throws What `work` throws.
   */
  exclusive<T>(server: string, work: () => Promise<T>): Promise<T>;
}

/** A place for secret texts by name: what a `TokenStore` needs of one. */
export interface SecretTexts {
  get(name: string): Promise<string | undefined>;
  set(name: string, value: string): Promise<unknown>;
  remove(name: string): Promise<unknown>;
}

/**
 * Keeps logins as JSON in a place for secrets.
 *
 * @param lock Runs `work` while no other process runs any under the same name.
 */
export function tokenStore(
  texts: SecretTexts,
  lock: <T>(name: string, work: () => Promise<T>) => Promise<T>,
): TokenStore {
  const nameOf = (server: string): string => `oauth.${server}`;
  return {
    get: async (server) => {
      const text = await texts.get(nameOf(server));
      return text === undefined ? undefined : readLogin(text);
    },
    set: async (server, value) => void await texts.set(nameOf(server), JSON.stringify(value)),
    remove: async (server) => void await texts.remove(nameOf(server)),
    exclusive: (server, work) => lock(nameOf(server), work),
  };
}

/** What an older or newer version has written is no login: the user logs in again. */
function readLogin(text: string): StoredLogin | undefined {
  try {
    const parsed = v.safeParse(login, JSON.parse(text));
    return parsed.success ? parsed.output : undefined;
  } catch {
    return undefined;
  }
}
