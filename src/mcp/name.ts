/**
 * Names and URIs as clients see them. A server's own name gets the server's prefix, so that it never
 * changes because another server appears; URIs stay as they are.
 *
 * @module
 */
import { GatewayError } from "../errors.ts";

/** What a server may be called: no underscore, so that the first `__` always ends the name. */
export const SERVER_NAME = /^[a-z0-9-]{1,32}$/;

/** Longest name that clients are shown: the least that today's model APIs take. */
export const MAX_EXPOSED_LENGTH = 64;

/**
 * Longest name that a request may ask for, in UTF-16 code units: the 128 that MCP 2026-07-28
 * server/tools "Tool Names" grants, and room to spare. A longer one names nothing.
 */
export const MAX_NAME_LENGTH = 256;

/** Longest URI of a resource that is passed on, in UTF-16 code units. */
export const MAX_URI_LENGTH = 8 * 1024;

const SEPARATOR = "__";

/** The prefix of a server's tools and prompts unless its config has another: `<server>__`. */
export function defaultPrefix(server: string): string {
  return server + SEPARATOR;
}

/**
 * The name under which clients see `own`: with the prefix, and one that is too long with a hash of the
 * whole in place of its end, the same at any time and on any machine.
 */
export function expose(prefix: string, own: string): string {
  const name = prefix + own;
  if (name.length <= MAX_EXPOSED_LENGTH) return name;
  const mark = `_${fnv1a(name).toString(16).padStart(8, "0")}`;
  return name.slice(0, MAX_EXPOSED_LENGTH - mark.length) + mark;
}

/** What patterns over qualified names see of a resource: grants judge it like a tool of its server. */
export function resourceScope(server: string, uri: string): string {
  return defaultPrefix(server) + uri;
}

/**
 * The one answer for a tool or prompt that does not exist, is denied, or is outside a grant: a caller
 * must not learn which (MCP 2026-07-28 server/tools "Error Handling").
 */
export function unknownName(kind: "tool" | "prompt", name: string): GatewayError {
  return new GatewayError("unknown_tool", `Unknown ${kind}: ${printable(name)}`);
}

/** The one answer for a resource that cannot be read (MCP 2026-07-28 server/resources "Error Handling"). */
export function unknownResource(uri: string): GatewayError {
  return new GatewayError("unknown_resource", `Unknown resource: ${printable(uri)}`, {
    data: { uri },
  });
}

/** `name` cut to a bounded, printable form: it comes from a client and is shown to people. */
function printable(name: string): string {
  const clean = name.replace(/[^\x20-\x7e]/g, "?");
  return clean.length > 128 ? `${clean.slice(0, 128)}…` : clean;
}

/** FNV-1a of 32 bits over UTF-16 code units: names need no secret, and Web Crypto's hashes are not at once. */
function fnv1a(text: string): number {
  let hash = 0x811c9dc5;
  for (let n = 0; n < text.length; n++) {
    hash = Math.imul(hash ^ text.charCodeAt(n), 0x01000193) >>> 0;
  }
  return hash;
}
