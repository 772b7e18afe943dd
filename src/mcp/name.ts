import { GatewayError } from "../errors.ts";

/** What a server may be called: no underscore, so that the first `__` always ends the name. */
export const SERVER_NAME = /^[a-z0-9-]{1,32}$/;

/**
 * Longest name of a tool for clients, in UTF-16 code units: the 128 that MCP 2026-07-28 server/tools
 * "Tool Names" grants the server's own, its server's, and room to spare. A longer one names nothing.
 */
export const MAX_TOOL_NAME_LENGTH = 256;

const SEPARATOR = "__";

/** A tool as its own server knows it. */
export interface ToolAddress {
  readonly server: string;
  readonly tool: string;
}

/** The name under which clients see `tool` of `server`: `<server>__<tool>`. */
export function qualify({ server, tool }: ToolAddress): string {
  return `${server}${SEPARATOR}${tool}`;
}

/** The inverse of `qualify`; undefined when `name` cannot be a qualified name. */
export function parseQualified(name: string): ToolAddress | undefined {
  const at = name.indexOf(SEPARATOR);
  const server = name.slice(0, Math.max(at, 0));
  const tool = name.slice(at + SEPARATOR.length);
  return at > 0 && tool !== "" && SERVER_NAME.test(server) ? { server, tool } : undefined;
}

/**
 * The one answer for a tool that does not exist, is denied, or is outside a grant: a caller must not
 * learn which (MCP 2026-07-28 server/tools "Error Handling").
 */
export function unknownTool(name: string): GatewayError {
  return new GatewayError("unknown_tool", `Unknown tool: ${printable(name)}`);
}

/** `name` cut to a bounded, printable form: it comes from a client and is shown to people. */
function printable(name: string): string {
  const clean = name.replace(/[^\x20-\x7e]/g, "?");
  return clean.length > 128 ? `${clean.slice(0, 128)}…` : clean;
}
