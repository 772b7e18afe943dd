/**
 * Tool parameters that are repeated in headers (MCP 2026-07-28 streamable-http "Custom Headers from
 * Tool Parameters"): what `tools/list` teaches, and the headers of a `tools/call`.
 *
 * @module
 */
import * as v from "valibot";
import { PARAM_PREFIX } from "../../src/mcp/header.ts";
import {
  MAX_SERVER_DEPTH,
  type Outline,
  rawMember,
  readString,
  scan,
  stringMember,
} from "../../src/mcp/scan.ts";
import { ANNOTATION, type Annotation, readAnnotations } from "./annotation.ts";
import { MAX_KEPT, type OutgoingLine, outlineOf } from "./line.ts";
import { type HeaderFields, mirrored } from "./mirror.ts";

/** Tools with annotations that are remembered: far above what a server lists. */
const MAX_TOOLS = 10_000;

/** What the lists of one upstream have taught so far. */
export class ParamHeaders {
  readonly #tools = new Map<string, readonly Annotation[]>();

  /**
   * Learns from a line that answers tools/list. Tools whose annotations break the rules have no headers;
   * whether anybody may call them is for the gateway to say.
   */
  learn(line: string): void {
    // Also without annotations: a tool may have lost its own.
    if (!line.includes(ANNOTATION) && this.#tools.size === 0) return;
    const tools = outlineOf(line, 4)?.members.get("result")?.value.members.get("tools")?.value;
    for (const tool of tools?.elements ?? []) {
      const name = stringMember(line, tool, "name");
      if (name === undefined) continue;
      this.#tools.delete(name);
      const found = annotationsOf(line, tool);
      if (found.length > 0 && this.#tools.size < MAX_TOOLS) this.#tools.set(name, found);
    }
  }

  /** The headers of a tools/call; a parameter without a value has none. */
  of({ method, name, text, outline }: OutgoingLine): HeaderFields {
    const annotations = method === "tools/call" && name !== undefined && this.#tools.get(name);
    const args = outline.members.get("params")?.value.members.get("arguments")?.value;
    if (!annotations || args === undefined) return {};
    return paramHeaderFields(annotations, text.slice(args.start, args.end));
  }
}

/** The annotations of the tool that is outlined in `text`; none when they break the rules. */
export function annotationsOf(text: string, tool: Outline): readonly Annotation[] {
  const schema = rawMember(text, tool, "inputSchema");
  if (schema === undefined || !schema.includes(ANNOTATION)) return [];
  const found = readAnnotations(v.parse(v.unknown(), JSON.parse(schema)));
  return typeof found === "string" ? [] : found;
}

/** The headers that repeat arguments, given as JSON text. */
export function paramHeaderFields(
  annotations: readonly Annotation[],
  args: string,
): HeaderFields {
  const depth = annotations.reduce((most, { path }) => Math.max(most, path.length), 0);
  const root = scan(args, { keep: depth, maxDepth: MAX_SERVER_DEPTH, maxKept: MAX_KEPT });
  const headers: Record<string, string> = {};
  for (const { path, header } of annotations) {
    const value = primitive(args, path.reduce(memberOf, root));
    if (value !== undefined) headers[`${PARAM_PREFIX}${header.toLowerCase()}`] = mirrored(value);
  }
  return headers;
}

function memberOf(outline: Outline | undefined, key: string): Outline | undefined {
  return outline?.members.get(key)?.value;
}

/** A string, number or boolean in words; undefined for what has no header. */
function primitive(text: string, outline: Outline | undefined): string | undefined {
  if (outline === undefined) return undefined;
  const raw = text.slice(outline.start, outline.end);
  switch (outline.kind) {
    case "string":
      return readString(raw);
    case "number": {
      const number = Number(raw);
      return Number.isInteger(number) && !Number.isSafeInteger(number) ? undefined : String(number);
    }
    case "literal":
      return raw === "null" ? undefined : raw;
    case "object":
    case "array":
      return undefined;
  }
}
