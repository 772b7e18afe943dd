/**
 * Finds who gives out tokens for an upstream: its own metadata (RFC 9728), then that of the
 * authorization server which it names (RFC 8414, OpenID Connect Discovery 1.0). MCP 2026-07-28
 * basic/authorization/authorization-server-discovery.
 *
 * @module
 */
import * as v from "valibot";
import { GatewayError } from "../../../src/errors.ts";
import { printable } from "../../../src/log.ts";
import { checkTarget, type Reach } from "../guard.ts";
import { readScopes } from "./challenge.ts";
import type { OAuthFetch } from "./fetch.ts";

/** Characters of a text of somebody else that a message of ours quotes. */
const MAX_QUOTE_LENGTH = 200;

const url = v.pipe(v.string(), v.maxLength(2_048), v.check((text) => URL.canParse(text)));

const names = v.pipe(v.array(v.string()), v.maxLength(1_000));

const resourceMetadata = v.object({
  resource: url,
  authorization_servers: v.optional(v.pipe(v.array(url), v.maxLength(100))),
  scopes_supported: v.optional(names),
});

const serverMetadata = v.object({
  issuer: url,
  authorization_endpoint: url,
  token_endpoint: url,
  registration_endpoint: v.optional(url),
  revocation_endpoint: v.optional(url),
  scopes_supported: v.optional(names),
  code_challenge_methods_supported: v.optional(names),
  token_endpoint_auth_methods_supported: v.optional(names),
  authorization_response_iss_parameter_supported: v.optional(v.boolean()),
  client_id_metadata_document_supported: v.optional(v.boolean()),
});

/** What an authorization server says of itself, checked. */
export type ServerMetadata = v.InferOutput<typeof serverMetadata>;

/** Who gives out tokens for an upstream, and for what. */
export interface Discovered {
  /** What tokens are asked for (RFC 8707). */
  readonly resource: string;
  /** The scopes that the upstream has; undefined when it does not say. */
  readonly scopes: readonly string[] | undefined;
  readonly server: ServerMetadata;
}

/** Where to look. */
export interface Discovery {
  /** URL of the upstream. */
  readonly url: URL;
  /** URL of its metadata, as its challenge names it. */
  readonly resourceMetadata: string | undefined;
  readonly reach: Reach;
  readonly fetch: OAuthFetch;
}

/**
 * Finds the authorization server of an upstream.
 *
 * @throws {GatewayError} `server_failed` that says what is missing or wrong; `address_refused`.
 */
export async function discover(discovery: Discovery): Promise<Discovered> {
  const { url: upstream, reach } = discovery;
  const found = await findResource(discovery);
  // Before 2025-06-18 the authorization server was at the origin of the server, and nothing named it.
  const issuer = found === undefined ? upstream.origin : found.authorization_servers?.[0];
  if (issuer === undefined) throw failure(upstream, "its metadata names no authorization server");
  checkTarget(new URL(issuer), reach);
  const server = await findServer(issuer, discovery);
  if (server === undefined) {
    throw failure(
      upstream,
      found === undefined
        ? "it has no metadata that says where to log in: if it wants a key, write it under headers"
        : `its authorization server ${quoted(issuer)} has no metadata`,
    );
  }
  const resource = found?.resource ?? resourceOf(upstream);
  return {
    resource,
    server,
    scopes: found?.scopes_supported && readScopes(found.scopes_supported),
  };
}

/** The canonical URI of an upstream without metadata: without fragment, and without a lone slash. */
function resourceOf({ origin, pathname, search }: URL): string {
  return `${origin}${pathname === "/" && search === "" ? "" : pathname + search}`;
}

async function findResource(
  discovery: Discovery,
): Promise<v.InferOutput<typeof resourceMetadata> | undefined> {
  const { url: upstream, resourceMetadata: named } = discovery;
  if (named !== undefined && !URL.canParse(named)) {
    throw failure(upstream, "the URL of its metadata is not one");
  }
  const wellKnown = "/.well-known/oauth-protected-resource";
  const path = upstream.pathname.replace(/\/$/, "");
  const places = named !== undefined ? [named] : [
    ...path === "" ? [] : [`${upstream.origin}${wellKnown}${path}`],
    upstream.origin + wellKnown,
  ];
  for (const place of places) {
    const json = await getJson(new URL(place), discovery);
    if (json === undefined) continue;
    const parsed = v.safeParse(resourceMetadata, json);
    if (!parsed.success) throw failure(upstream, "its metadata is not as RFC 9728 says");
    if (!covers(new URL(parsed.output.resource), upstream)) {
      throw failure(
        upstream,
        `its metadata is that of another server: ${quoted(parsed.output.resource)}`,
      );
    }
    return parsed.output;
  }
  if (named !== undefined) throw failure(upstream, "there is no metadata where it says");
  return undefined;
}

/** Whether a token for `resource` is one for `upstream`: the same URL, or a path above it. */
function covers(resource: URL, upstream: URL): boolean {
  if (resource.origin !== upstream.origin || resource.hash !== "") return false;
  if (resource.search !== "" && resource.search !== upstream.search) return false;
  const above = resource.pathname.replace(/\/$/, "");
  return upstream.pathname === resource.pathname || upstream.pathname === above ||
    upstream.pathname.startsWith(`${above}/`);
}

async function findServer(
  issuer: string,
  discovery: Discovery,
): Promise<ServerMetadata | undefined> {
  const { origin, pathname } = new URL(issuer);
  const path = pathname.replace(/\/$/, "");
  const wellKnown = `${origin}/.well-known`;
  const places = [
    `${wellKnown}/oauth-authorization-server${path}`,
    `${wellKnown}/openid-configuration${path}`,
    ...path === "" ? [] : [`${origin}${path}/.well-known/openid-configuration`],
  ];
  for (const place of places) {
    const json = await getJson(new URL(place), discovery);
    if (json !== undefined) return checkServer(json, issuer, discovery);
  }
  return undefined;
}

function checkServer(json: unknown, issuer: string, { url: at, reach }: Discovery): ServerMetadata {
  const wrong = (what: string): GatewayError =>
    failure(at, `its authorization server ${quoted(issuer)} cannot be used: ${what}`);
  const parsed = v.safeParse(serverMetadata, json);
  if (!parsed.success) throw wrong("its metadata is not as RFC 8414 says");
  const server = parsed.output;
  // RFC 8414 §3.3: identical, or it speaks in the name of another.
  if (server.issuer !== issuer) throw wrong("its metadata is that of another issuer");
  if (server.code_challenge_methods_supported?.includes("S256") !== true) {
    throw wrong("it does not support PKCE with S256");
  }
  for (
    const endpoint of [
      server.authorization_endpoint,
      server.token_endpoint,
      server.registration_endpoint,
      server.revocation_endpoint,
    ]
  ) if (endpoint !== undefined) checkTarget(new URL(endpoint), reach);
  return server;
}

/** The JSON at `place`; undefined when nothing is there. */
async function getJson(place: URL, { fetch, url: upstream }: Discovery): Promise<unknown> {
  const response = await fetch(place, { method: "GET", headers: { accept: "application/json" } });
  const { status } = response;
  if (status >= 300 && status <= 399) {
    throw failure(upstream, `its metadata at ${quoted(place.host)} is a redirect, not followed`);
  }
  if (status >= 500) {
    throw failure(upstream, `${quoted(place.host)} answered with HTTP ${status}, try again later`);
  }
  if (status !== 200) return undefined;
  try {
    return await response.json();
  } catch {
    // A page for people: there is no metadata.
    return undefined;
  }
}

function failure({ host }: URL, what: string): GatewayError {
  return new GatewayError("server_failed", `Cannot log in to ${host}: ${what}`);
}

function quoted(text: string): string {
  return JSON.stringify(printable(text).slice(0, MAX_QUOTE_LENGTH));
}
