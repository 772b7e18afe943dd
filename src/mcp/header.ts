/**
 * The HTTP headers that mirror a request's body (MCP 2026-07-28 streamable-http "Server Validation").
 *
 * @module
 */

/** Carries the protocol revision, in all revisions since 2025-06-18. */
export const VERSION_HEADER = "mcp-protocol-version";

/** Carries the body's `method`. */
export const METHOD_HEADER = "mcp-method";

/** Carries the tool, prompt, resource or task that the body names. */
export const NAME_HEADER = "mcp-name";

/** Carries the session id, in the revisions that have sessions. */
export const SESSION_HEADER = "mcp-session-id";

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
