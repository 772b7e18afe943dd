/**
 * Decides which era a request belongs to and refuses what belongs to none, in the order that MCP
 * 2026-07-28 and its conformance suite ask for: the body decides, the headers only have to agree.
 *
 * @module
 */
import { GatewayError } from "../../src/errors.ts";
import {
  METHOD_HEADER,
  mirroredValue,
  NAME_HEADER,
  namedBy,
  SESSION_HEADER,
  VERSION_HEADER,
} from "../../src/mcp/header.ts";
import {
  claimedVersion,
  hasClaim,
  parseMeta,
  readRequestMeta,
  type RequestMeta,
} from "../../src/mcp/meta.ts";
import { claimsModern, isLegacyRevision, MODERN_REVISION } from "../../src/mcp/revisions.ts";
import type { ClientMessage } from "./message.ts";

/** A request's era, and what a modern one says of itself. */
export type Era =
  | { readonly era: "modern"; readonly meta: RequestMeta }
  | { readonly era: "legacy" };

const LEGACY: Era = { era: "legacy" };

/**
 * The era of `message`, whose headers have then been found to agree with it.
 *
 * @throws {GatewayError} `header_mismatch`, `invalid_meta` or `unsupported_version`.
 */
export function eraOf(message: ClientMessage, headers: Headers): Era {
  // No modern client sends one: only a session has asked for something.
  if (message.kind === "response") return LEGACY;
  const header = headers.get(VERSION_HEADER);
  const meta = parseMeta(message.rawParam("_meta"));
  if (!hasClaim(meta)) {
    if (message.kind === "request" && header !== null && claimsModern(header)) {
      readRequestMeta(meta);
    }
    return header !== null && claimsModern(header) && message.kind === "notification"
      ? modernNotification(header)
      : LEGACY;
  }
  const claimed = claimedVersion(meta);
  if (message.method === "initialize" && (claimed === undefined || !claimsModern(claimed))) {
    return LEGACY;
  }
  if (header !== null && claimed !== undefined && header.trim() !== claimed) {
    throw mismatch(VERSION_HEADER, "differs from params._meta");
  }
  // A claim may name the version of the session that it is part of; without one it is a modern form.
  if (claimed !== undefined && isLegacyRevision(claimed) && headers.has(SESSION_HEADER)) {
    return LEGACY;
  }
  const read = readRequestMeta(meta);
  requireServed(read.protocolVersion);
  if (message.kind === "request") checkMirrors(message, headers);
  return { era: "modern", meta: read };
}

function modernNotification(version: string): Era {
  requireServed(version);
  return { era: "modern", meta: { protocolVersion: version, clientCapabilities: {} } };
}

function requireServed(version: string): void {
  if (version === MODERN_REVISION) return;
  throw new GatewayError(
    "unsupported_version",
    `Unsupported protocol version: this endpoint serves ${MODERN_REVISION} without a session`,
    { data: { supported: [MODERN_REVISION], requested: version } },
  );
}

function checkMirrors(message: ClientMessage, headers: Headers): void {
  if (headers.get(VERSION_HEADER) === null) throw mismatch(VERSION_HEADER, "is missing");
  requireMirror(headers, METHOD_HEADER, message.method);
  const member = namedBy(message.method);
  const name = member === undefined ? undefined : message.param(member);
  if (name !== undefined) requireMirror(headers, NAME_HEADER, name);
}

function requireMirror(headers: Headers, header: string, expected: string): void {
  const value = headers.get(header);
  if (value === null) throw mismatch(header, "is missing");
  if (mirroredValue(value) !== expected) throw mismatch(header, "differs from the body");
}

function mismatch(header: string, how: string): GatewayError {
  return new GatewayError("header_mismatch", `Header mismatch: ${header} ${how}`);
}
