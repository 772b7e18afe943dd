/**
 * The modern era at the home: each request stands for itself.
 *
 * @module
 */
import { GatewayError } from "../../src/errors.ts";
import { MODERN_REVISION } from "../../src/mcp/revisions.ts";
import type { RequestMeta } from "../../src/mcp/meta.ts";
import { resultResponse } from "./answer.ts";
import type { Home } from "./home.ts";
import { INSTRUCTIONS, META, toolsResult } from "./listing.ts";
import type { ClientMessage } from "./message.ts";
import type { McpRequest } from "./request.ts";

/** Serves one message of a client that speaks MCP 2026-07-28: stateless, nothing outlives it. */
export async function serveModern(
  home: Home,
  request: McpRequest,
  message: ClientMessage,
  meta: RequestMeta,
): Promise<Response> {
  const { id } = message;
  if (id === undefined) return new Response(null, { status: 202 });
  switch (message.method) {
    case "server/discover":
      return resultResponse(id, discoverResult());
    case "tools/list":
      requireNoCursor(message);
      return resultResponse(id, toolsResult(await home.tools(request.caller), "modern"));
    case "tools/call":
      return home.call(request, message, { id, meta });
    default:
      throw new GatewayError("unknown_method", "Method not found");
  }
}

/** @throws {GatewayError} `invalid_params` for any cursor: lists have one page, so we give none out. */
export function requireNoCursor(message: ClientMessage): void {
  if (message.rawParam("cursor") !== undefined) {
    throw new GatewayError("invalid_params", "Invalid cursor");
  }
}

function discoverResult(): string {
  return `{"resultType":"complete","supportedVersions":["${MODERN_REVISION}"],` +
    `"capabilities":{"tools":{}},"instructions":${INSTRUCTIONS},` +
    `"ttlMs":3600000,"cacheScope":"private","_meta":${META}}`;
}
