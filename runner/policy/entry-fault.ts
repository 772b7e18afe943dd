/**
 * What an entry of a server must not be, so that nothing which reads it comes to harm: a client, the
 * API of a model, a person before a list. Nothing is fetched and no pattern is compiled for it.
 *
 * @module
 */
import { GatewayError } from "../../src/errors.ts";
import type { OfferedList } from "../../src/mcp/offer.ts";
import { MAX_SERVER_DEPTH, type Outline, readString, scan } from "../../src/mcp/scan.ts";
import { hidesInName } from "./invisible.ts";
import { NAMED } from "./named-members.ts";

/** Longest name of a tool, in UTF-16 code units (MCP 2026-07-28 server/tools "Tool Names"). */
export const MAX_TOOL_NAME_LENGTH = 128;

/** Deepest nesting of a schema: as deep as anything that a client may send. */
export const MAX_SCHEMA_DEPTH = 64;

/** Longest schema, in UTF-16 code units. */
export const MAX_SCHEMA_LENGTH = 256 * 1024;

/** Most members and elements of a schema that is looked through for references. */
const MAX_KEPT = 100_000;

const SCHEMAS = ["inputSchema", "outputSchema"] as const;

/** Members of a schema that hold values. */
const VALUES = new Set(["const", "default", "enum", "example", "examples"]);

/**
 * A reference that names a place, rather than a part of the schema or what has this name in it. Who
 * reads a URL leaves out its controls.
 */
const ELSEWHERE = /^\s*(?:(?!urn:)[a-z][a-z0-9+.-]*:|[/\\]{2})|\p{Cc}/iu;

/** Why the entry with this key is not to be offered, as the end of a sentence; undefined if it may be. */
export function faultOf(
  list: OfferedList,
  key: string,
  { raw, root }: { readonly raw: string; readonly root: Outline },
): string | undefined {
  if (list !== "tools") {
    return hidesInName(key) ? "has characters in its name that nobody sees" : undefined;
  }
  return nameFault(key) ?? schemaFault(raw, root);
}

/** Lenient where published servers are: the revision says "should" of the characters of a name. */
function nameFault(name: string): string | undefined {
  if (name.length > MAX_TOOL_NAME_LENGTH) {
    return `has a name of more than ${MAX_TOOL_NAME_LENGTH} characters`;
  }
  if (hidesInName(name) || /\p{Cc}/u.test(name)) {
    return "has characters in its name that nobody sees";
  }
  const foreign = /[^\x20-\x7e]/u.exec(name)?.[0];
  if (foreign !== undefined) {
    const code = foreign.codePointAt(0)?.toString(16).toUpperCase().padStart(4, "0");
    return `has a character in its name that may look like another one (U+${code})`;
  }
  if (name.trim() !== name) return "has a space at an end of its name";
  return /(?:^|[/\\])\.\.(?:[/\\]|$)/.test(name) ? 'has a name with ".." in it' : undefined;
}

function schemaFault(raw: string, root: Outline): string | undefined {
  for (const member of SCHEMAS) {
    const schema = root.members.get(member)?.value;
    if (schema === undefined) continue;
    const of = member === "inputSchema" ? "an inputSchema" : "an outputSchema";
    // No result has one that is `null`: many servers write it for none.
    if (schema.kind !== "object" && raw.slice(schema.start, schema.end) !== "null") {
      return `has ${of} that is no object`;
    }
    if (schema.end - schema.start > MAX_SCHEMA_LENGTH) {
      return `has ${of} of more than ${MAX_SCHEMA_LENGTH} characters`;
    }
    const text = raw.slice(schema.start, schema.end);
    try {
      // An escape could hide the word.
      const mayRefer = /[rR]ef"|\\u/.test(text);
      const keep = mayRefer ? MAX_SERVER_DEPTH : 0;
      const outline = scan(text, { keep, maxDepth: MAX_SCHEMA_DEPTH, maxKept: MAX_KEPT });
      const place = mayRefer ? reference(text, outline) : undefined;
      if (place !== undefined) return `has ${of} with a $ref to another place`;
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error;
      return error.code === "too_deep"
        ? `has ${of} that is nested more than ${MAX_SCHEMA_DEPTH} deep`
        : `has ${of} that cannot be read`;
    }
  }
  return undefined;
}

/** The first reference to somewhere else. */
function reference(
  text: string,
  { members, elements }: Outline,
  isNamed = false,
): string | undefined {
  for (const [name, { value }] of members) {
    if (!isNamed && VALUES.has(name)) continue;
    if (value.kind === "string" && /^\$(?:ref|dynamicRef|recursiveRef)$/.test(name)) {
      const to = readString(text.slice(value.start, value.end));
      if (ELSEWHERE.test(to)) return to;
    }
    const found = reference(text, value, !isNamed && NAMED.has(name));
    if (found !== undefined) return found;
  }
  for (const element of elements) {
    const found = reference(text, element);
    if (found !== undefined) return found;
  }
  return undefined;
}
