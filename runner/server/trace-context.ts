/**
 * W3C Trace Context of calls, in the `_meta` keys that MCP 2026-07-28 basic/index "_meta" (SEP-414) keeps for
 * it. A call that comes with a trace goes on in it, any other begins one; each gets a span of ours.
 *
 * @module
 */
import { randomUUID } from "node:crypto";
import { type Outline, stringMember } from "../../src/mcp/scan.ts";
import type { Params } from "./params.ts";

/** The trace of one call. */
export interface Trace {
  /** Its id, 32 hex digits. */
  readonly id: string;
  /** What the server gets: the id and our span (W3C Trace Context Level 2 "traceparent"). */
  readonly traceparent: string;
  /** Whether it was begun by the caller, so that its `tracestate` belongs to it. */
  readonly continued: boolean;
}

/** Version, trace id, parent id and flags; later versions may have more behind them. */
const TRACEPARENT = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;

/** What the flags of the version that we write mean: sampled, and a random trace id. */
const KNOWN_FLAGS = 0x03;

/**
 * Flags of traces that we begin: the id is random, and what is done is written down, in the call log. A
 * server that asks its parent whether to sample would otherwise drop spans that it kept before.
 */
const OWN_FLAGS = "03";

/** Longest `tracestate` and `baggage` that are passed on: as much as W3C Baggage asks for. */
const MAX_PASSED_LENGTH = 8_192;

/** The trace that a call goes on with: that of its `_meta.traceparent` if it has a valid one, else a new one. */
export function traceOf({ text, outline }: Params): Trace {
  const meta = outline.members.get("_meta")?.value;
  const given = meta?.members.has("traceparent")
    ? stringMember(text, meta, "traceparent")
    : undefined;
  const [, version, id = "", parent = "", flags = "", rest] = TRACEPARENT.exec(given ?? "") ?? [];
  const valid = version !== undefined && version !== "ff" &&
    (version !== "00" || rest === undefined) && /[^0]/.test(id) && /[^0]/.test(parent);
  if (valid) {
    const known = (parseInt(flags, 16) & KNOWN_FLAGS).toString(16).padStart(2, "0");
    return { id, traceparent: `00-${id}-${newSpan()}-${known}`, continued: true };
  }
  const own = randomUUID().replaceAll("-", "");
  return { id: own, traceparent: `00-${own}-${newSpan()}-${OWN_FLAGS}`, continued: false };
}

/** What changes in a request's `_meta` for its trace: raw JSON by key, `null` for what is dropped. */
export function traceChanges(trace: Trace, meta?: Outline): Record<string, string | null> {
  const changes: Record<string, string | null> = { traceparent: `"${trace.traceparent}"` };
  for (const key of ["tracestate", "baggage"]) {
    const value = meta?.members.get(key)?.value;
    if (value === undefined) continue;
    const passes = value.kind === "string" && value.end - value.start <= MAX_PASSED_LENGTH &&
      // W3C Trace Context "tracestate": without a valid traceparent it means nothing.
      (key === "baggage" || trace.continued);
    if (!passes) changes[key] = null;
  }
  return changes;
}

/** The second half of a random UUID, which is never all zeros: much cheaper than bytes of its own. */
function newSpan(): string {
  const uuid = randomUUID();
  return uuid.slice(19, 23) + uuid.slice(24);
}
