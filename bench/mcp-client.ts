/**
 * The least MCP client that keeps to the protocol, in both eras, over Streamable HTTP. The very same
 * code drives mcp-runner and its peers.
 *
 * @module
 */
import { METHOD_HEADER, NAME_HEADER, SESSION_HEADER, VERSION_HEADER } from "../src/mcp/header.ts";
import { RESERVED_PREFIX } from "../src/mcp/meta.ts";
import { LATEST_LEGACY_REVISION, MODERN_REVISION } from "../src/mcp/revisions.ts";
import { echoAnswer, echoRequest } from "./echo.ts";
import { type HttpAnswer, HttpClient } from "./http-client.ts";
import { type Subject, SubjectError } from "./subject/subject.ts";

const CLIENT_INFO = { name: "mcp-runner-bench", version: "1" };

const META = JSON.stringify({
  [`${RESERVED_PREFIX}protocolVersion`]: MODERN_REVISION,
  [`${RESERVED_PREFIX}clientCapabilities`]: {},
  [`${RESERVED_PREFIX}clientInfo`]: CLIENT_INFO,
});

/** What is called, and where. */
export interface Endpoint {
  /** Name of the subject. */
  readonly name: string;
  readonly url: string;
  /** Name of the tool that echoes. */
  readonly tool: string;
  readonly token?: string;
}

/** JSON text of the request that opens a session of MCP 2025-11-25. */
export function initializeRequest(id: number): string {
  const params = {
    protocolVersion: LATEST_LEGACY_REVISION,
    capabilities: {},
    clientInfo: CLIENT_INFO,
  };
  return JSON.stringify({ jsonrpc: "2.0", id, method: "initialize", params });
}

/** A client with a session of MCP 2025-11-25, which it ends at the end. */
export async function openLegacySession(
  stack: AsyncDisposableStack,
  endpoint: Endpoint,
): Promise<Subject> {
  const { name, url, tool } = endpoint;
  const http = stack.use(new HttpClient(url));
  const opened = await http.send("POST", commonHeaders(endpoint), initializeRequest(0));
  const session = opened.headers[SESSION_HEADER.toLowerCase()];
  if (opened.status !== 200 || typeof session !== "string") {
    throw new SubjectError(name, `it opened no session: HTTP ${opened.status} ${opened.text}`);
  }
  const headers = {
    ...commonHeaders(endpoint),
    [SESSION_HEADER]: session,
    [VERSION_HEADER]: LATEST_LEGACY_REVISION,
  };
  stack.defer(async () => {
    await http.send("DELETE", headers).catch(() => {
      // The peer has gone before us, and its session with it.
    });
  });
  await http.send("POST", headers, '{"jsonrpc":"2.0","method":"notifications/initialized"}');
  return {
    name,
    prepare: (echo) => ({
      id: echo.id,
      body: echoRequest(echo, tool),
      expected: echoAnswer(echo),
    }),
    send: async ({ body }) => textOf(name, await http.send("POST", headers, body)),
  };
}

/** A client of MCP 2026-07-28, which has no session. */
export function modernClient(stack: AsyncDisposableStack, endpoint: Endpoint): Subject {
  const { name, url, tool } = endpoint;
  const http = stack.use(new HttpClient(url));
  const headers = {
    ...commonHeaders(endpoint),
    [VERSION_HEADER]: MODERN_REVISION,
    [METHOD_HEADER]: "tools/call",
    [NAME_HEADER]: tool,
  };
  return {
    name,
    prepare: (echo) => ({
      id: echo.id,
      body: echoRequest(echo, tool, META),
      expected: echoAnswer(echo),
    }),
    send: async ({ body }) => textOf(name, await http.send("POST", headers, body)),
  };
}

function commonHeaders({ token }: Endpoint): Record<string, string> {
  return {
    "content-type": "application/json",
    accept: "application/json, text/event-stream",
    ...(token !== undefined && { authorization: `Bearer ${token}` }),
  };
}

function textOf(name: string, { status, text }: HttpAnswer): string {
  if (status === 200) return text;
  throw new SubjectError(name, `it answered with HTTP ${status} ${text.slice(0, 300)}`);
}
