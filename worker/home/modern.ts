/**
 * The modern era at the home: each request stands for itself.
 *
 * @module
 */
import { GatewayError } from "../../src/errors.ts";
import { paramHeaders } from "../../src/mcp/header.ts";
import type { RequestMeta } from "../../src/mcp/meta.ts";
import { resultResponse } from "./answer.ts";
import { LISTEN_METHOD } from "./dispatch.ts";
import type { Home } from "./home.ts";
import { discoverResult } from "./introduction.ts";
import { listen } from "./listen.ts";
import { listOf } from "./listing.ts";
import type { ClientMessage } from "./message.ts";
import { relay } from "./relay.ts";
import type { McpRequest } from "./request.ts";

/** What a runner serves. */
const RELAYED: ReadonlySet<string> = new Set([
  "tools/call",
  "prompts/get",
  "resources/read",
  "completion/complete",
  "tasks/get",
  "tasks/update",
  "tasks/cancel",
]);

/** Serves one message of a client that speaks MCP 2026-07-28: stateless, nothing outlives it. */
export async function serveModern(
  home: Home,
  request: McpRequest,
  message: ClientMessage,
  meta: RequestMeta,
): Promise<Response> {
  const { id, method } = message;
  if (id === undefined) return new Response(null, { status: 202 });
  const { caller } = request;
  const list = listOf(method);
  if (list !== undefined) {
    const cursor = message.rawParam("cursor");
    return resultResponse(id, await home.list({ list, cursor, caller, era: "modern" }));
  }
  if (method === "server/discover") {
    return resultResponse(id, discoverResult(await home.runners.offers(), caller.tools));
  }
  if (method === LISTEN_METHOD) return listen(home, { request, message, id, meta });
  if (!RELAYED.has(method)) throw new GatewayError("unknown_method", "Method not found");
  const headers = paramHeaders(request.headers);
  const call = { method, params: message.params, meta, caller, paramHeaders: headers };
  return relay({ dispatch: home.dispatch, clock: home.clock, request, id, call });
}
