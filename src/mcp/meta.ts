import * as v from "valibot";
import { GatewayError } from "../errors.ts";
import { type LogLevel, logLevel } from "./log-level.ts";

/** Prefix of the `_meta` keys that MCP keeps for itself. */
export const RESERVED_PREFIX = "io.modelcontextprotocol/";

/** `_meta` key of a modern request for its revision. */
export const VERSION_KEY = `${RESERVED_PREFIX}protocolVersion`;

/** `_meta` key of a modern request for what its client can do. */
export const CAPABILITIES_KEY = `${RESERVED_PREFIX}clientCapabilities`;

/** `_meta` key of a modern request for the program that sends it. */
export const CLIENT_INFO_KEY = `${RESERVED_PREFIX}clientInfo`;

/** `_meta` key of a modern request for the least severe log message that it wants. */
export const LOG_LEVEL_KEY = `${RESERVED_PREFIX}logLevel`;

/** Longest `_meta` that is read, in UTF-16 code units: it may carry icons, but no payload. */
const MAX_META_LENGTH = 256 * 1024;

/**
 * Longest client capabilities, in UTF-16 code units as we write them: half of what the header of a
 * frame may have, so that no client can make one that ends the tunnel.
 */
const MAX_CAPABILITIES_LENGTH = 32 * 1024;

/** `_meta` key under which a modern result names the server. */
export const SERVER_INFO_KEY = `${RESERVED_PREFIX}serverInfo`;

/**
 * `_meta` key of the canonical call alone: JSON-RPC errors with which a legacy client answered what a
 * server asked for, by key, beside the `inputResponses` of the others. MCP 2026-07-28 has no place for them.
 */
export const INPUT_ERRORS_KEY = "com.mcp-runner/inputErrors";

/** What a modern request says of itself in `params._meta` (MCP 2026-07-28 basic/index "_meta"). */
export interface RequestMeta {
  readonly protocolVersion: string;
  readonly clientCapabilities: Readonly<Record<string, unknown>>;
  /** Least severe log message that the client wants with this request; undefined: none. */
  readonly logLevel?: LogLevel;
}

const capabilities = v.pipe(
  v.unknown(),
  v.check((value) => !Array.isArray(value)),
  v.record(v.string(), v.unknown()),
  v.check((value) => JSON.stringify(value).length <= MAX_CAPABILITIES_LENGTH),
);

const requestMeta = v.object({
  [VERSION_KEY]: v.string(),
  [CAPABILITIES_KEY]: capabilities,
  [LOG_LEVEL_KEY]: v.exactOptional(logLevel),
});

const claim = v.object({ [VERSION_KEY]: v.unknown() });

/**
 * The value of `_meta` from its JSON text; undefined when it is absent.
 *
 * @throws {GatewayError} `invalid_meta` for one that is too long to be looked at.
 */
export function parseMeta(raw: string | undefined): unknown {
  if (raw === undefined) return undefined;
  if (raw.length > MAX_META_LENGTH) {
    throw new GatewayError(
      "invalid_meta",
      `Cannot read request: params._meta is longer than ${MAX_META_LENGTH} characters`,
    );
  }
  return JSON.parse(raw);
}

/** Whether `_meta` claims to belong to a modern request: it has the version key, right or wrong. */
export function hasClaim(meta: unknown): boolean {
  return v.is(claim, meta);
}

/** The protocol version that `_meta` names; undefined without one. */
export function claimedVersion(meta: unknown): string | undefined {
  const parsed = v.safeParse(v.object({ [VERSION_KEY]: v.string() }), meta);
  return parsed.success ? parsed.output[VERSION_KEY] : undefined;
}

/**
 * The envelope of a modern request.
 *
 * @throws {GatewayError} `invalid_meta` naming the key that is missing or of the wrong kind.
 */
export function readRequestMeta(meta: unknown): RequestMeta {
  const parsed = v.safeParse(requestMeta, meta, { abortEarly: true });
  if (!parsed.success) {
    const key = v.getDotPath(parsed.issues[0]) ?? VERSION_KEY;
    throw new GatewayError(
      "invalid_meta",
      `Cannot read request: params._meta needs "${VERSION_KEY}" (string) and ` +
        `"${CAPABILITIES_KEY}" (object), "${key}" is missing, too long, or of another kind`,
    );
  }
  return {
    protocolVersion: parsed.output[VERSION_KEY],
    clientCapabilities: parsed.output[CAPABILITIES_KEY],
    ...(parsed.output[LOG_LEVEL_KEY] !== undefined && { logLevel: parsed.output[LOG_LEVEL_KEY] }),
  };
}
