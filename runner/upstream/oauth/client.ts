/**
 * How we become known to an authorization server, in the order of MCP 2026-07-28
 * basic/authorization/client-registration: by the id of the config, which may be the URL of a document
 * about us, else by asking it to register us (RFC 7591).
 *
 * @module
 */
import * as v from "valibot";
import { GatewayError } from "../../../src/errors.ts";
import { printable } from "../../../src/log.ts";
import type { OAuthClient } from "../../config/config.ts";
import type { ServerMetadata } from "./discover.ts";
import type { OAuthFetch } from "./fetch.ts";
import type { StoredClient, StoredLogin } from "./token-store.ts";

/** Name under which a user sees us when asked to agree. */
const CLIENT_NAME = "mcp-runner";

/** Characters of an authorization server's words that are shown. */
const MAX_QUOTE_LENGTH = 300;

const registered = v.object({
  client_id: v.pipe(v.string(), v.regex(/^[\x20-\x7e]{1,2048}$/)),
  client_secret: v.optional(v.pipe(v.string(), v.regex(/^[\x20-\x7e]{1,2048}$/))),
  /** Seconds since the epoch; 0 for never. */
  client_secret_expires_at: v.optional(v.pipe(v.number(), v.minValue(0))),
  token_endpoint_auth_method: v.optional(v.string()),
});

const refusal = v.object({ error: v.string(), error_description: v.optional(v.string()) });

/** What the choice depends on. */
export interface ClientChoice {
  /** Name of the server in the config, for messages. */
  readonly server: string;
  readonly oauth: OAuthClient | undefined;
  readonly metadata: ServerMetadata;
  /** Where the browser comes back to. */
  readonly redirectUri: string;
  /** An earlier login, whose registration may still be good. */
  readonly earlier: StoredLogin | undefined;
  readonly fetch: OAuthFetch;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/**
 * Chooses the client that asks for tokens.
 *
 * @throws {GatewayError} `login_required` that says what to write in the config when the authorization
 * server registers nobody; `server_failed` with its words when it refuses.
 */
export async function chooseClient(choice: ClientChoice): Promise<StoredClient> {
  const { server, oauth, metadata, earlier } = choice;
  const id = oauth?.clientId;
  const documented = id?.startsWith("https://") === true;
  if (
    id !== undefined && (!documented || metadata.client_id_metadata_document_supported === true)
  ) {
    const auth = oauth?.clientSecret === undefined ? "none" : secretMethod(metadata);
    return { id, registered: false, auth };
  }
  if (earlier !== undefined && isGood(earlier, choice)) return earlier.client;
  if (metadata.registration_endpoint !== undefined) {
    return await register(new URL(metadata.registration_endpoint), choice);
  }
  throw new GatewayError(
    "login_required",
    `Cannot log in to server "${server}": its authorization server does not register new programs` +
      `${documented ? " and reads no documents about them" : ""}, register mcp-runner there with ` +
      `the redirect URI ${choice.redirectUri} and write its id as oauth: { clientId: … }`,
  );
}

/** The document about us (draft-ietf-oauth-client-id-metadata-document), to be put at `clientId`. */
export function clientDocument(clientId: string, redirectUris: readonly string[]): object {
  return { client_id: clientId, ...aboutUs(redirectUris) };
}

/** A registration is good at the issuer that made it, until its secret ends, and for our way back alone. */
function isGood(
  { client, issuer }: StoredLogin,
  { metadata, now, redirectUri }: ClientChoice,
): boolean {
  return client.registered && issuer === metadata.issuer && client.redirectUri === redirectUri &&
    (client.secretExpiresAt === undefined || client.secretExpiresAt > now);
}

async function register(
  endpoint: URL,
  { redirectUri, metadata, fetch, server }: ClientChoice,
): Promise<StoredClient> {
  const response = await fetch(endpoint, {
    method: "POST",
    headers: { accept: "application/json", "content-type": "application/json" },
    body: JSON.stringify(aboutUs([redirectUri])),
  });
  const json: unknown = await response.json().catch(() => undefined);
  const parsed = v.safeParse(registered, json);
  if (!response.ok || !parsed.success) {
    const words = v.safeParse(refusal, json);
    const why = words.success
      ? words.output.error_description ?? words.output.error
      : `HTTP ${response.status}`;
    throw new GatewayError(
      "server_failed",
      `Cannot log in to server "${server}": its authorization server does not register mcp-runner ` +
        `(${printable(why).slice(0, MAX_QUOTE_LENGTH)})`,
    );
  }
  const { client_id: id, client_secret: secret, client_secret_expires_at: end, ...rest } =
    parsed.output;
  const named = rest.token_endpoint_auth_method;
  return {
    id,
    registered: true,
    redirectUri,
    auth: secret === undefined
      ? "none"
      : named === "client_secret_post" || named === "client_secret_basic"
      ? named
      : secretMethod(metadata),
    ...(secret !== undefined && { secret }),
    ...(secret !== undefined && end !== undefined && end > 0 && { secretExpiresAt: end * 1000 }),
  };
}

function aboutUs(redirectUris: readonly string[]): object {
  return {
    client_name: CLIENT_NAME,
    redirect_uris: redirectUris,
    grant_types: ["authorization_code", "refresh_token"],
    response_types: ["code"],
    token_endpoint_auth_method: "none",
    // OpenID Connect: without it, a redirect to this machine may be refused.
    application_type: "native",
  };
}

/** RFC 8414 §2: `client_secret_basic` where nothing is said. */
function secretMethod(
  { token_endpoint_auth_methods_supported: methods }: ServerMetadata,
): "client_secret_basic" | "client_secret_post" {
  const post = methods !== undefined && !methods.includes("client_secret_basic") &&
    methods.includes("client_secret_post");
  return post ? "client_secret_post" : "client_secret_basic";
}
