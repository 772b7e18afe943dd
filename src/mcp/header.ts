/**
 * The HTTP headers that mirror a request's body (MCP 2026-07-28 streamable-http "Server Validation").
 *
 * @module
 */
import { GatewayError } from "../errors.ts";

/** Carries the protocol revision, in all revisions since 2025-06-18. */
export const VERSION_HEADER = "mcp-protocol-version";

/** Carries the body's `method`. */
export const METHOD_HEADER = "mcp-method";

/** Carries the tool, prompt, resource or task that the body names. */
export const NAME_HEADER = "mcp-name";

/** Carries the session id, in the revisions that have sessions. */
export const SESSION_HEADER = "mcp-session-id";

/** Begins the names of headers that repeat arguments of a tool, as its schema asks for. */
export const PARAM_PREFIX = "mcp-param-";

/** Most such headers of a request, and the longest value of one. */
const MAX_PARAM_HEADERS = 64;
const MAX_PARAM_LENGTH = 8 * 1024;

/** Longest name of one without its prefix, and longest of all as JSON: they share the header of a frame. */
const MAX_PARAM_NAME_LENGTH = 128;
const MAX_PARAMS_LENGTH = 24 * 1024;

/** The member of `params` that the name header repeats, by method. */
const NAMED_BY: ReadonlyMap<string, string> = new Map([
  ["tools/call", "name"],
  ["prompts/get", "name"],
  ["resources/read", "uri"],
  ["tasks/get", "taskId"],
  ["tasks/update", "taskId"],
  ["tasks/cancel", "taskId"],
]);

const SENTINEL = /^=\?base64\?(.*)\?=$/;
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;
const VISIBLE = /^[\x20-\x7e]*$/;

/** Which member of `params` the name header must repeat for `method`; undefined if none. */
export function namedBy(method: string): string | undefined {
  return NAMED_BY.get(method);
}

/**
 * The value that a mirrored header stands for: itself, or what `=?base64?…?=` encodes. Stricter than
 * `atob`, which forgives bad padding.
 *
 * @returns undefined when the header is absent or is not a legal value.
 */
export function mirroredValue(header: string | null): string | undefined {
  if (header === null) return undefined;
  const value = header.trim();
  if (!VISIBLE.test(value)) return undefined;
  const encoded = SENTINEL.exec(value)?.[1];
  if (encoded === undefined) return value;
  if (!BASE64.test(encoded)) return undefined;
  const bytes = Uint8Array.from(atob(encoded), (c) => c.charCodeAt(0));
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    // Bytes that are not UTF-8 are no text: the header is refused like any other illegal one.
    return undefined;
  }
}

/**
 * The `Mcp-Param-<name>` headers of a request, as sent, by `<name>` in lower case; undefined without
 * any. Whoever knows the tool's schema compares them with the arguments.
 *
 * @throws {GatewayError} `header_mismatch` for more or longer ones than are passed on.
 */
export function paramHeaders(headers: Headers): Readonly<Record<string, string>> | undefined {
  const found: [name: string, value: string][] = [];
  headers.forEach((value, header) => {
    const name = header.startsWith(PARAM_PREFIX) ? header.slice(PARAM_PREFIX.length) : "";
    if (name !== "") found.push([name, value]);
  });
  if (found.length === 0) return undefined;
  const all = Object.fromEntries(found);
  if (
    found.length > MAX_PARAM_HEADERS ||
    found.some(([name, value]) =>
      name.length > MAX_PARAM_NAME_LENGTH || value.length > MAX_PARAM_LENGTH
    ) ||
    JSON.stringify(all).length > MAX_PARAMS_LENGTH
  ) {
    throw new GatewayError(
      "header_mismatch",
      `Header mismatch: at most ${MAX_PARAM_HEADERS} Mcp-Param headers are read, each of at most ` +
        `${MAX_PARAM_LENGTH} characters, all of ${MAX_PARAMS_LENGTH}`,
    );
  }
  return all;
}
