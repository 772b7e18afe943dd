import { GatewayError } from "../../src/errors.ts";
import { namedBy } from "../../src/mcp/header.ts";
import { VERSION_KEY } from "../../src/mcp/meta.ts";
import {
  MAX_SERVER_DEPTH,
  type Outline,
  rawMember,
  scan,
  stringMember,
} from "../../src/mcp/scan.ts";

/** Most members of a message that are kept: far above what any has. */
export const MAX_KEPT = 100_000;

/** A message for an upstream, read only as far as HTTP must know it. */
export interface OutgoingLine {
  readonly text: string;
  readonly outline: Outline;
  readonly kind: "request" | "notification" | "answer";
  /** Empty for an answer. */
  readonly method: string;
  /** JSON text of the id; empty for a notification. */
  readonly id: string;
  /** Revision that a modern message claims in its `_meta`; undefined for a legacy message. */
  readonly version: string | undefined;
  /** The tool, prompt, resource or task that a request names. */
  readonly name: string | undefined;
}

/**
 * Reads a line that is to be sent.
 *
 * @throws {GatewayError} when it is no JSON object.
 */
export function readOutgoing(text: string): OutgoingLine {
  const outline = scan(text, { keep: 3, maxDepth: MAX_SERVER_DEPTH, maxKept: MAX_KEPT });
  const method = stringMember(text, outline, "method") ?? "";
  const id = rawMember(text, outline, "id") ?? "";
  const params = outline.members.get("params")?.value;
  const meta = params?.members.get("_meta")?.value;
  const named = namedBy(method);
  return {
    text,
    outline,
    kind: method === "" ? "answer" : id === "" ? "notification" : "request",
    method,
    id,
    version: meta === undefined ? undefined : stringMember(text, meta, VERSION_KEY),
    name: named === undefined || params === undefined
      ? undefined
      : stringMember(text, params, named),
  };
}

/** JSON text of the request id that a `notifications/cancelled` names; undefined without one. */
export function cancelledId({ text, outline }: OutgoingLine): string | undefined {
  const params = outline.members.get("params")?.value;
  return params === undefined ? undefined : rawMember(text, params, "requestId");
}

/** Outline of what an upstream sent, with members of `keep` levels; undefined when it is no JSON. */
export function outlineOf(text: string, keep: number): Outline | undefined {
  try {
    return scan(text, { keep, maxDepth: MAX_SERVER_DEPTH, maxKept: MAX_KEPT });
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error;
    return undefined;
  }
}

/** JSON text of the id that an answer has; undefined for every other message. */
export function answeredId(text: string, outline: Outline): string | undefined {
  if (outline.members.has("method")) return undefined;
  return outline.members.has("result") || outline.members.has("error")
    ? rawMember(text, outline, "id")
    : undefined;
}

/**
 * One line out of what came over HTTP. In JSON a line break can only stand between two tokens, where
 * a space means the same.
 */
export function toLine(text: string): string {
  return text.replace(/[\r\n]/g, " ");
}

/** The message, or the messages of a batch (MCP 2025-03-26 basic "Batching"), each as one line. */
export function messagesOf(text: string): readonly string[] {
  const line = toLine(text);
  if (!/^\s*\[/.test(line)) return line.trim() === "" ? [] : [line];
  return outlineOf(line, 1)?.elements.map(({ start, end }) => line.slice(start, end)) ?? [line];
}
