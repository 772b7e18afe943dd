/**
 * A request between the canonical form and what a server of either era speaks. Everything that is
 * not ours to change stays the bytes that it was.
 *
 * @module
 */
import {
  CAPABILITIES_KEY,
  CLIENT_INFO_KEY,
  INPUT_ERRORS_KEY,
  LOG_LEVEL_KEY,
  RESERVED_PREFIX,
  VERSION_KEY,
} from "../../src/mcp/meta.ts";
import { MODERN_REVISION } from "../../src/mcp/revisions.ts";
import {
  MAX_SERVER_DEPTH,
  type Outline,
  rawMember,
  scan,
  spliceObject,
} from "../../src/mcp/scan.ts";
import type { ClientCapabilities } from "./client-capabilities.ts";
import { CLIENT_INFO } from "./client-info.ts";
import type { Exchange, Input } from "./exchange.ts";
import { type Trace, traceChanges } from "./trace-context.ts";

/** Most members of params, of `_meta` and of the arguments together: far above what any call has. */
const MAX_KEPT = 100_000;

/** A call's params, read as far as needed. */
export interface Params {
  readonly text: string;
  readonly outline: Outline;
}

/** An object without members, for what has no `_meta` yet. */
const NOTHING: Outline = { kind: "object", start: 0, end: 2, members: new Map(), elements: [] };

/** Outlines the params of a canonical call, which come from the worker and are not trusted. */
export function readParams(text: string): Params {
  return { text, outline: scan(text, { keep: 2, maxDepth: MAX_SERVER_DEPTH, maxKept: MAX_KEPT }) };
}

/** JSON text of the caller's progress token; undefined when it wants no progress. */
export function progressToken({ text, outline }: Params): string | undefined {
  const meta = outline.members.get("_meta")?.value;
  return meta?.kind === "object" ? rawMember(text, meta, "progressToken") : undefined;
}

/**
 * The params for a legacy server: our request id as progress token, and without the `_meta` keys of the
 * modern envelope, which some legacy servers refuse. Without `task` as well: the experimental tasks of
 * MCP 2025-11-25 are between us and the server, see legacy-task.ts.
 *
 * @param trace Takes the place of what the caller gave.
 */
export function toLegacyParams({ text, outline }: Params, id: number, trace?: Trace): string {
  const meta = outline.members.get("_meta")?.value;
  if (meta === undefined && !outline.members.has("task")) {
    // Most calls of legacy clients have none: all that they have stays where it is.
    return trace === undefined ? text : withLast(text, outline, `"_meta":${traceMeta(trace)}`);
  }
  let metaText: string | null = trace === undefined ? null : traceMeta(trace);
  if (meta?.kind === "object") {
    const changes = trace === undefined ? {} : traceChanges(trace, meta);
    for (const key of meta.members.keys()) {
      if (key.startsWith(RESERVED_PREFIX) || key === INPUT_ERRORS_KEY) changes[key] = null;
      else if (key === "progressToken") changes[key] = String(id);
    }
    const kept = spliceObject(text, meta, changes);
    metaText = kept === "{}" ? null : kept;
  }
  return spliceObject(text, outline, { _meta: metaText, task: null });
}

/**
 * The params for a modern server: in the envelope of MCP 2026-07-28 basic/index "_meta", our name as
 * client, what the caller can do and wants, and our request id as progress token; with the answers and
 * the state of the server's question if they go on with one.
 */
export function toModernParams({ params, caller, input, trace }: Exchange, id: number): string {
  const { text, outline } = params;
  const meta = outline.members.get("_meta")?.value;
  const { capabilities, logLevel } = caller;
  const changes: Record<string, string | null> = {
    ...envelope(capabilities),
    [LOG_LEVEL_KEY]: logLevel === undefined ? null : JSON.stringify(logLevel),
    [INPUT_ERRORS_KEY]: null,
    ...(trace && traceChanges(trace, meta)),
  };
  if (meta?.members.has("progressToken")) changes["progressToken"] = String(id);
  const metaText = spliceObject(text, meta?.kind === "object" ? meta : NOTHING, changes);
  return spliceObject(text, outline, { _meta: metaText, ...(input && inputMembers(input)) });
}

/** JSON text of the `_meta` of a request of our own to a modern server. */
export function ownMeta(capabilities: ClientCapabilities): string {
  return spliceObject("{}", NOTHING, envelope(capabilities));
}

/** JSON text of the `_meta` of a request that has nothing else there. */
function traceMeta({ traceparent }: Trace): string {
  return `{"traceparent":"${traceparent}"}`;
}

/** The object's text with one more member at its end. */
function withLast(text: string, { end, members }: Outline, member: string): string {
  return `${text.slice(0, end - 1)}${members.size === 0 ? "" : ","}${member}}`;
}

function envelope(capabilities: ClientCapabilities): Readonly<Record<string, string>> {
  return {
    [VERSION_KEY]: JSON.stringify(MODERN_REVISION),
    [CLIENT_INFO_KEY]: CLIENT_INFO,
    [CAPABILITIES_KEY]: JSON.stringify(capabilities),
  };
}

function inputMembers({ responses, state }: Input): Readonly<Record<string, string>> {
  const answers = [...responses].map(([key, response]) => `${JSON.stringify(key)}:${response}`);
  return {
    ...(responses.size > 0 && { inputResponses: `{${answers.join(",")}}` }),
    ...(state !== undefined && { requestState: JSON.stringify(state) }),
  };
}

/** A progress notification for the caller, under the token that it gave. */
export function toProgressNote(params: string, token: string): string {
  const outline = scan(params, { keep: 1, maxDepth: MAX_SERVER_DEPTH });
  const renamed = spliceObject(params, outline, { progressToken: token });
  return `{"jsonrpc":"2.0","method":"notifications/progress","params":${renamed}}`;
}
