/**
 * An authorization server and an MCP server that wants its tokens, over real HTTP on one loopback
 * origin. The user agrees to everything.
 *
 * @module
 */
import { createHash, randomBytes } from "node:crypto";
import type { ServerResponse } from "node:http";
import type { StoredLogin, TokenStore } from "../../runner/upstream/oauth/token-store.ts";
import { type Got, type Handler, sendJson, serveHttp, type Site } from "./upstream.ts";

/** What is not as it should be, or not as it is by default. */
export interface Ways {
  /** Members of the authorization server's metadata that are others; undefined for none. */
  readonly metadata?: (origin: string) => Readonly<Record<string, unknown>>;
  /** The same for the metadata of the MCP server. */
  readonly resource?: (origin: string) => Readonly<Record<string, unknown>>;
  /** The challenge of a request without a token. */
  readonly challenge?: (origin: string) => string;
  /** Parameters of the way back that are others. */
  readonly back?: (origin: string) => Readonly<Record<string, string | undefined>>;
  /** Members of a token response that are others. */
  readonly token?: () => Readonly<Record<string, unknown>>;
  /** Answers in place of everything else; false to leave it. */
  readonly instead?: (got: Got, response: ServerResponse) => boolean;
  /** Scopes that a call needs beyond those of the token. */
  readonly callNeeds?: string;
  /** Clients that are known without registering. */
  readonly clients?: Readonly<Record<string, string | undefined>>;
}

/** A code that waits to be redeemed. */
interface Code {
  readonly client: string;
  readonly redirectUri: string;
  readonly challenge: string;
  readonly resource: string;
  readonly scope: string;
}

/** Both servers. */
export interface ProtectedSite extends Site {
  /** Access tokens that are taken. */
  readonly live: Set<string>;
  /** Refresh tokens that can be used, with the scope of each. */
  readonly refreshable: Map<string, string>;
  /** Tokens that were revoked. */
  readonly revoked: readonly string[];
  /** Parameters of the last visit to the page where the user agrees. */
  readonly asked: () => URLSearchParams;
  /** Grants that the token endpoint was asked for, in order. */
  readonly grants: readonly URLSearchParams[];
}

/** Starts both. */
export async function protectedSite(
  t: Parameters<typeof serveHttp>[0],
  ways: Ways = {},
): Promise<ProtectedSite> {
  const live = new Set<string>();
  const refreshable = new Map<string, string>();
  const revoked: string[] = [];
  const grants: URLSearchParams[] = [];
  const codes = new Map<string, Code>();
  const clients = new Map(Object.entries(ways.clients ?? {}));
  let asked = new URLSearchParams();

  const issue = (scope: string): object => {
    const [access, refresh] = [random(), random()];
    live.add(access);
    refreshable.set(refresh, scope);
    return {
      access_token: access,
      token_type: "Bearer",
      expires_in: 3600,
      refresh_token: refresh,
      scope,
      ...ways.token?.(),
    };
  };
  const routes: Readonly<Record<string, (got: Got, response: ServerResponse) => void>> = {
    "/.well-known/oauth-protected-resource/mcp": (_got, response) =>
      sendJson(response, {
        resource: `${site.origin}/mcp`,
        authorization_servers: [site.origin],
        scopes_supported: ["read"],
        ...ways.resource?.(site.origin),
      }),
    "/.well-known/oauth-authorization-server": (_got, response) =>
      sendJson(response, {
        issuer: site.origin,
        authorization_endpoint: `${site.origin}/authorize`,
        token_endpoint: `${site.origin}/token`,
        registration_endpoint: `${site.origin}/register`,
        revocation_endpoint: `${site.origin}/revoke`,
        code_challenge_methods_supported: ["S256"],
        authorization_response_iss_parameter_supported: true,
        ...ways.metadata?.(site.origin),
      }),
    "/register": ({ text }, response) => {
      const { redirect_uris: uris } = JSON.parse(text) as { redirect_uris: string[] };
      const id = `client-${clients.size}`;
      clients.set(id, undefined);
      sendJson(response, { client_id: id, redirect_uris: uris }, 201);
    },
    "/authorize": ({ path }, response) => {
      asked = new URL(path, site.origin).searchParams;
      const param = (name: string): string => asked.get(name) ?? "";
      const client = param("client_id");
      if (!clients.has(client) && !client.startsWith("https://")) {
        response.writeHead(400).end();
        return;
      }
      const code = random();
      codes.set(code, {
        client,
        redirectUri: param("redirect_uri"),
        challenge: param("code_challenge"),
        resource: param("resource"),
        scope: param("scope"),
      });
      const back = new URL(param("redirect_uri"));
      const params = { code, state: param("state"), iss: site.origin, ...ways.back?.(site.origin) };
      for (const [name, value] of Object.entries(params)) {
        if (value !== undefined) back.searchParams.set(name, value);
      }
      response.writeHead(302, { location: back.href }).end();
    },
    "/token": ({ text, headers }, response) => {
      const form = new URLSearchParams(text);
      grants.push(form);
      const refuse = (error: string): void =>
        sendJson(response, { error, error_description: "Refused \u001b[31m" }, 400);
      const [basicId, basicSecret] = basic(headers["authorization"]);
      const client = basicId ?? form.get("client_id") ?? "";
      if (clients.get(client) !== (basicSecret ?? form.get("client_secret") ?? undefined)) {
        return refuse("invalid_client");
      }
      if (form.get("grant_type") === "refresh_token") {
        const scope = refreshable.get(form.get("refresh_token") ?? "");
        if (scope === undefined) return refuse("invalid_grant");
        refreshable.delete(form.get("refresh_token") ?? "");
        return sendJson(response, issue(scope));
      }
      const code = codes.get(form.get("code") ?? "");
      codes.delete(form.get("code") ?? "");
      const verifier = form.get("code_verifier") ?? "";
      const right = code?.client === client && code.redirectUri === form.get("redirect_uri") &&
        code.resource === form.get("resource") && code.challenge === s256(verifier);
      return right ? sendJson(response, issue(code.scope)) : refuse("invalid_grant");
    },
    "/revoke": ({ text }, response) => {
      const token = new URLSearchParams(text).get("token") ?? "";
      revoked.push(token);
      live.delete(token);
      refreshable.delete(token);
      response.writeHead(200).end();
    },
    "/mcp": ({ headers, message }, response) => {
      const token = String(headers["authorization"] ?? "").replace(/^Bearer /, "");
      if (!live.has(token)) {
        const challenge = ways.challenge?.(site.origin) ??
          `Bearer resource_metadata="${site.origin}/.well-known/oauth-protected-resource/mcp"`;
        return response.writeHead(401, { "www-authenticate": challenge }).end();
      }
      if (message.method === "tools/call" && ways.callNeeds !== undefined) {
        const challenge = `Bearer error="insufficient_scope", scope="${ways.callNeeds}"`;
        return response.writeHead(403, { "www-authenticate": challenge }).end();
      }
      return sendJson(response, { jsonrpc: "2.0", id: message.id, result: { ok: true } });
    },
  };
  const handler: Handler = (got, response) => {
    if (ways.instead?.(got, response) === true) return;
    const route = routes[new URL(got.path, "http://site").pathname];
    if (route === undefined) response.writeHead(404).end();
    else route(got, response);
  };
  const site = await serveHttp(t, handler);
  return { ...site, live, refreshable, revoked, grants, asked: () => asked };
}

/** Logins in memory, as all processes of a machine would see them. */
export function memoryTokenStore(): TokenStore & { readonly logins: Map<string, StoredLogin> } {
  const logins = new Map<string, StoredLogin>();
  let queue: Promise<unknown> = Promise.resolve();
  return {
    logins,
    get: (server) => Promise.resolve(logins.get(server)),
    set: (server, login) => Promise.resolve(void logins.set(server, login)),
    remove: (server) => Promise.resolve(void logins.delete(server)),
    exclusive: (_server, work) => {
      const done = queue.then(work);
      queue = done.catch(() => {});
      return done;
    },
  };
}

function random(): string {
  return randomBytes(18).toString("base64url");
}

function s256(verifier: string): string {
  return createHash("sha256").update(verifier).digest("base64url");
}

function basic(header: string | string[] | undefined): readonly string[] {
  const text = /^Basic (.+)$/.exec(String(header ?? ""))?.[1];
  if (text === undefined) return [];
  return Buffer.from(text, "base64").toString().split(":").map((part) =>
    decodeURIComponent(part.replaceAll("+", " "))
  );
}
