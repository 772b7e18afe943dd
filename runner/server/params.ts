/**
 * A tools/call between the canonical form and what a legacy server speaks. Everything that is not
 * ours to change stays the bytes that it was.
 *
 * @module
 */
import { RESERVED_PREFIX } from "../../src/mcp/meta.ts";
import { claimsModern } from "../../src/mcp/revisions.ts";
import {
  MAX_SERVER_DEPTH,
  type Member,
  type Outline,
  rawMember,
  scan,
  spliceObject,
} from "../../src/mcp/scan.ts";

/** Most members of params, of `_meta` and of the arguments together: far above what any call has. */
const MAX_KEPT = 100_000;

/** A call's params, read as far as needed. */
export interface CallParams {
  readonly text: string;
  readonly outline: Outline;
}

/** Outlines the params of a canonical call, which come from the worker and are not trusted. */
export function readCallParams(text: string): CallParams {
  return { text, outline: scan(text, { keep: 2, maxDepth: MAX_SERVER_DEPTH, maxKept: MAX_KEPT }) };
}

/** JSON text of the caller's progress token; undefined when it wants no progress. */
export function progressToken({ text, outline }: CallParams): string | undefined {
  const meta = outline.members.get("_meta")?.value;
  return meta?.kind === "object" ? rawMember(text, meta, "progressToken") : undefined;
}

/**
 * The params for a legacy server: its own tool name, our request id as progress token, and without
 * the `_meta` keys of the modern envelope, which some legacy servers refuse.
 */
export function toServerParams({ text, outline }: CallParams, tool: string, id: number): string {
  const meta = outline.members.get("_meta")?.value;
  let metaText: string | null = null;
  if (meta?.kind === "object") {
    const changes: Record<string, string | null> = {};
    for (const key of meta.members.keys()) {
      if (key.startsWith(RESERVED_PREFIX)) changes[key] = null;
      else if (key === "progressToken") changes[key] = String(id);
    }
    const kept = spliceObject(text, meta, changes);
    if (kept !== "{}") metaText = kept;
  }
  return spliceObject(text, outline, { name: JSON.stringify(tool), _meta: metaText });
}

/** A progress notification for the caller, under the token that it gave. */
export function toProgressNote(params: string, token: string): string {
  const outline = scan(params, { keep: 1, maxDepth: MAX_SERVER_DEPTH });
  const renamed = spliceObject(params, outline, { progressToken: token });
  return `{"jsonrpc":"2.0","method":"notifications/progress","params":${renamed}}`;
}

/** The result for the caller: in 2026-07-28 every result says what it is, older servers do not. */
export function toCallerResult(
  result: string,
  members: ReadonlyMap<string, Member>,
  protocolVersion: string,
): string {
  if (!claimsModern(protocolVersion) || members.has("resultType")) return result;
  return `{"resultType":"complete"${members.size === 0 ? "" : ","}${result.slice(1)}`;
}
