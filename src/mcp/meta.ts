import * as v from "valibot";
import { GatewayError } from "../errors.ts";

/** Prefix of the `_meta` keys that MCP keeps for itself. */
export const RESERVED_PREFIX = "io.modelcontextprotocol/";

const VERSION_KEY = `${RESERVED_PREFIX}protocolVersion`;
const CAPABILITIES_KEY = `${RESERVED_PREFIX}clientCapabilities`;

/** `_meta` key under which a modern result names the server. */
export const SERVER_INFO_KEY = `${RESERVED_PREFIX}serverInfo`;

/** What a modern request says of itself in `params._meta` (MCP 2026-07-28 basic/index "_meta"). */
export interface RequestMeta {
  readonly protocolVersion: string;
  readonly clientCapabilities: Readonly<Record<string, unknown>>;
}

const requestMeta = v.object({
  [VERSION_KEY]: v.string(),
  [CAPABILITIES_KEY]: v.record(v.string(), v.unknown()),
});

const claim = v.object({ [VERSION_KEY]: v.unknown() });

/** The `_meta` object from its JSON text; undefined when it is absent or no object. */
export function parseMeta(raw: string | undefined): unknown {
  return raw === undefined ? undefined : JSON.parse(raw);
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
        `"${CAPABILITIES_KEY}" (object), "${key}" is missing or of another kind`,
    );
  }
  return {
    protocolVersion: parsed.output[VERSION_KEY],
    clientCapabilities: parsed.output[CAPABILITIES_KEY],
  };
}
