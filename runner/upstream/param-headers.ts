/**
 * Tool parameters that are repeated in headers (MCP 2026-07-28 streamable-http "Custom Headers from
 * Tool Parameters"): what `tools/list` teaches, and the headers of a `tools/call`.
 *
 * @module
 */
import * as v from "valibot";
import { type Outline, readString, scan, stringMember } from "../../src/mcp/scan.ts";
import { MAX_SERVER_DEPTH } from "../../src/mcp/scan.ts";
import { type OutgoingLine, outlineOf } from "./line.ts";
import { type HeaderFields, mirrored } from "./mirror.ts";
import { type Annotation, readAnnotations } from "./annotation.ts";

/** Tools with annotations that are remembered: far above what a server lists. */
const MAX_TOOLS = 10_000;

const ANNOTATION_TEXT = '"x-mcp-header"';

/** What the lists of one upstream have taught so far. */
export class ParamHeaders {
  readonly #tools = new Map<string, readonly Annotation[]>();
  readonly #rejected = new Set<string>();
  readonly #warn: (tool: string, why: string) => void;

  /** @param warn Called once for each tool that is left out, with its name and the reason. */
  constructor(warn: (tool: string, why: string) => void) {
    this.#warn = warn;
  }

  /**
   * Learns from a line that answers tools/list.
   *
   * @returns The line without the tools whose annotations break the rules, which a client over HTTP
   * must not use; all other bytes stay.
   */
  learn(line: string): string {
    // Also without annotations: a tool may have lost its own.
    if (!line.includes(ANNOTATION_TEXT) && this.#tools.size === 0) return line;
    const tools = outlineOf(line, 4)?.members.get("result")?.value.members.get("tools")?.value;
    if (tools?.kind !== "array") return line;
    const kept = tools.elements.filter((tool) => this.#learnTool(line, tool));
    if (kept.length === tools.elements.length) return line;
    const texts = kept.map(({ start, end }) => line.slice(start, end));
    return `${line.slice(0, tools.start)}[${texts.join(",")}]${line.slice(tools.end)}`;
  }

  /** The headers of a tools/call; a parameter without a value has none. */
  of({ method, name, text, outline }: OutgoingLine): HeaderFields {
    const annotations = method === "tools/call" && name !== undefined && this.#tools.get(name);
    const args = outline.members.get("params")?.value.members.get("arguments")?.value;
    if (!annotations || args === undefined) return {};
    const argsText = text.slice(args.start, args.end);
    const depth = Math.max(...annotations.map(({ path }) => path.length));
    const root = scan(argsText, { keep: depth, maxDepth: MAX_SERVER_DEPTH });
    const headers: Record<string, string> = {};
    for (const { path, header } of annotations) {
      const value = primitive(argsText, path.reduce(memberOf, root));
      if (value !== undefined) headers[`mcp-param-${header.toLowerCase()}`] = mirrored(value);
    }
    return headers;
  }

  /** Whether the tool may be used. */
  #learnTool(line: string, tool: Outline): boolean {
    const name = stringMember(line, tool, "name");
    const schema = tool.members.get("inputSchema")?.value;
    if (name === undefined || schema === undefined) return true;
    const text = line.slice(schema.start, schema.end);
    this.#tools.delete(name);
    if (!text.includes(ANNOTATION_TEXT)) return true;
    const found = readAnnotations(v.parse(v.unknown(), JSON.parse(text)));
    if (typeof found === "string") {
      if (!this.#rejected.has(name) && this.#rejected.size < MAX_TOOLS) {
        this.#rejected.add(name);
        this.#warn(name, found);
      }
      return false;
    }
    if (found.length > 0 && this.#tools.size < MAX_TOOLS) this.#tools.set(name, found);
    return true;
  }
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
