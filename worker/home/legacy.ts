/**
 * The legacy era at the home: initialize, sessions, and what a client may send within one.
 *
 * @module
 */
import { GatewayError } from "../../src/errors.ts";
import { SESSION_HEADER, VERSION_HEADER } from "../../src/mcp/header.ts";
import { isLegacyRevision, LATEST_LEGACY_REVISION } from "../../src/mcp/revisions.ts";
import { errorResponse, resultResponse } from "./answer.ts";
import type { Home } from "./home.ts";
import { INSTRUCTIONS, SERVER_INFO, toolsResult } from "./listing.ts";
import type { ClientMessage } from "./message.ts";
import { requireNoCursor } from "./modern.ts";
import type { McpRequest } from "./request.ts";
import type { Session } from "./session.ts";

/**
 * Serves one message of a client that speaks a revision with a handshake (MCP 2025-11-25 and before,
 * basic/transports "Streamable HTTP").
 */
export async function serveLegacy(
  home: Home,
  request: McpRequest,
  message: ClientMessage,
): Promise<Response> {
  if (message.method === "initialize" && message.id !== undefined) {
    return initialize(home, request, message, message.id);
  }
  requireServedVersion(request.headers);
  const session = await sessionOf(home, request);
  if (message.id === undefined || message.kind === "response") {
    if (message.method === "notifications/cancelled") cancel(home, session, message);
    return new Response(null, { status: 202 });
  }
  return answer(home, request, message, message.id, session);
}

/** Ends the session that a DELETE names. */
export async function endSession(home: Home, request: McpRequest): Promise<Response> {
  await home.sessions.end(await sessionOf(home, request));
  return new Response(null, { status: 204 });
}

function sessionOf(home: Home, request: McpRequest): Promise<Session> {
  return home.sessions.find(request.headers.get(SESSION_HEADER), request.caller.client);
}

async function initialize(
  home: Home,
  request: McpRequest,
  message: ClientMessage,
  id: string,
): Promise<Response> {
  const requested = message.param("protocolVersion");
  if (requested === undefined) {
    throw new GatewayError(
      "invalid_params",
      "Cannot initialize: params.protocolVersion is missing",
    );
  }
  const revision = isLegacyRevision(requested) ? requested : LATEST_LEGACY_REVISION;
  const session = await home.sessions.open(request.caller.client, revision);
  return resultResponse(
    id,
    `{"protocolVersion":"${revision}","capabilities":{"tools":{}},` +
      `"serverInfo":${SERVER_INFO},"instructions":${INSTRUCTIONS}}`,
    { [SESSION_HEADER]: session.id },
  );
}

async function answer(
  home: Home,
  request: McpRequest,
  message: ClientMessage,
  id: string,
  session: Session,
): Promise<Response> {
  switch (message.method) {
    case "ping":
      return resultResponse(id, "{}");
    case "tools/list":
      requireNoCursor(message);
      return resultResponse(id, toolsResult(await home.tools(request.caller), "legacy"));
    case "tools/call":
      return home.call(request, message, {
        id,
        session,
        meta: { protocolVersion: session.revision, clientCapabilities: {} },
      });
    default:
      // At 200: in these revisions a 404 tells the client that its session has ended.
      return errorResponse(id, '{"code":-32601,"message":"Method not found"}');
  }
}

function cancel(home: Home, session: Session, message: ClientMessage): void {
  const requestId = message.rawParam("requestId");
  if (requestId !== undefined) home.cancel(session, requestId);
}

function requireServedVersion(headers: Headers): void {
  const version = headers.get(VERSION_HEADER);
  if (version === null || isLegacyRevision(version.trim())) return;
  throw new GatewayError(
    "invalid_request",
    `Unsupported protocol version: send ${LATEST_LEGACY_REVISION} or an older one with a session`,
  );
}
