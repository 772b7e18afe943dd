import { GatewayError } from "../../src/errors.ts";
import { parseQualified, unknownTool } from "../../src/mcp/name.ts";
import { stringMember } from "../../src/mcp/scan.ts";
import { isAllowed, type ToolRules } from "../../src/policy/allowlist.ts";
import type { Server } from "../server/server.ts";
import type { CallParams } from "../server/tool-call.ts";

/** A server and which of its tools may be used. */
export interface GatewayServer {
  readonly server: Server;
  readonly rules: ToolRules;
}

/** Where a call goes. */
export interface Route {
  readonly server: Server;
  /** The server's own name for the tool. */
  readonly tool: string;
  /** The name that the caller used. */
  readonly name: string;
}

/**
 * The server and its own tool name, if the rules let the call through.
 *
 * @throws {GatewayError} `unknown_tool`, in the same words for a tool that is denied and for one that
 * does not exist; `invalid_params` without a name.
 */
export function routeCall(
  servers: ReadonlyMap<string, GatewayServer>,
  { text, outline }: CallParams,
): Route {
  const name = stringMember(text, outline, "name");
  if (name === undefined) {
    throw new GatewayError("invalid_params", "Cannot call a tool: params.name is missing");
  }
  const address = parseQualified(name);
  const entry = address && servers.get(address.server);
  if (address === undefined || entry === undefined || !isAllowed(entry.rules, address.tool)) {
    throw unknownTool(name);
  }
  return { server: entry.server, tool: address.tool, name };
}
