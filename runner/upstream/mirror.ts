/**
 * The headers that repeat a request's body for whoever routes it (MCP 2026-07-28 streamable-http
 * "Request Metadata").
 *
 * @module
 */
import { METHOD_HEADER, NAME_HEADER, VERSION_HEADER } from "../../src/mcp/header.ts";
import type { OutgoingLine } from "./line.ts";

/** Headers by their names in lower case. */
export type HeaderFields = Readonly<Record<string, string>>;

/** The headers of a modern message, without those of its tool's parameters. */
export function standardHeaders({ method, version, name }: OutgoingLine): HeaderFields {
  return {
    ...(version !== undefined && { [VERSION_HEADER]: mirrored(version) }),
    [METHOD_HEADER]: mirrored(method),
    ...(name !== undefined && { [NAME_HEADER]: mirrored(name) }),
  };
}

/**
 * `value` as a header may carry it: itself when that is safe, else its UTF-8 in Base64 within
 * `=?base64?…?=`. The inverse is `mirroredValue` of src/mcp/header.ts.
 */
export function mirrored(value: string): string {
  const plain = /^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/.test(value) &&
    !(value.startsWith("=?base64?") && value.endsWith("?="));
  return plain ? value : `=?base64?${Buffer.from(value, "utf8").toString("base64")}?=`;
}
