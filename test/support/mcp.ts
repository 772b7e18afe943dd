/**
 * The official MCP clients of both majors, and bare requests, against an endpoint of ours.
 *
 * @module
 */
import {
  Client as ModernClient,
  StreamableHTTPClientTransport,
} from "@modelcontextprotocol/client";
import { Client as LegacyClient } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport as LegacyTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";

/** Where and as whom to connect. */
export interface Endpoint {
  readonly origin: string;
  readonly token: string;
}

const INFO = { name: "test", version: "1" };

/** `@modelcontextprotocol/client` 2.x, which finds out which revision the endpoint speaks. */
export async function connectModern({ origin, token }: Endpoint): Promise<ModernClient> {
  const client = new ModernClient(INFO, { versionNegotiation: { mode: "auto" } });
  await client.connect(
    new StreamableHTTPClientTransport(new URL("/mcp", origin), {
      requestInit: { headers: { authorization: `Bearer ${token}` } },
    }),
  );
  return client;
}

/** `@modelcontextprotocol/sdk` 1.x, which initializes a session. */
export async function connectLegacy({ origin, token }: Endpoint): Promise<LegacyClient> {
  const client = new LegacyClient(INFO);
  const transport = new LegacyTransport(new URL("/mcp", origin), {
    requestInit: { headers: { authorization: `Bearer ${token}` } },
  });
  await client.connect(transport);
  return client;
}

/** `_meta` of a modern request. */
export const MODERN_META = {
  "io.modelcontextprotocol/protocolVersion": "2026-07-28",
  "io.modelcontextprotocol/clientCapabilities": {},
};

/** What may be said of a request beside its body. */
export interface RequestOptions {
  readonly headers?: Readonly<Record<string, string | undefined>>;
  readonly signal?: AbortSignal;
}

/** Sends `body` as it is; headers that are undefined are left out. */
export function post(
  { origin, token }: Endpoint,
  body: BodyInit,
  { headers = {}, signal }: RequestOptions = {},
): Promise<Response> {
  const all = {
    authorization: `Bearer ${token}`,
    "content-type": "application/json",
    accept: "application/json, text/event-stream",
    ...headers,
  };
  const sent = Object.entries(all).filter((entry): entry is [string, string] =>
    entry[1] !== undefined
  );
  const url = new URL("/mcp", origin);
  return fetch(url, { method: "POST", body, headers: sent, ...(signal && { signal }) });
}

/** Sends a modern request with the headers that belong to it. */
export function postModern(
  endpoint: Endpoint,
  method: string,
  { params = {}, headers, signal }: RequestOptions & {
    readonly params?: Readonly<Record<string, unknown>>;
  } = {},
): Promise<Response> {
  const body = { jsonrpc: "2.0", id: 7, method, params: { _meta: MODERN_META, ...params } };
  return post(endpoint, JSON.stringify(body), {
    ...(signal && { signal }),
    headers: {
      "mcp-protocol-version": "2026-07-28",
      "mcp-method": method,
      ...(typeof params["name"] === "string" && { "mcp-name": params["name"] }),
      ...headers,
    },
  });
}
