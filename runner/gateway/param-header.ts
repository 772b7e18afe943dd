/**
 * Parameters of tools that HTTP clients repeat in headers (MCP 2026-07-28 streamable-http "Custom
 * Headers from Tool Parameters"): which ones a tool has, and whether a call keeps to them.
 *
 * @module
 */
import * as v from "valibot";
import { GatewayError } from "../../src/errors.ts";
import { mirroredValue } from "../../src/mcp/header.ts";
import { ANNOTATION, readAnnotations } from "../upstream/annotation.ts";

/** A parameter that is repeated in the header `Mcp-Param-<name>`. */
export interface ParamHeader {
  /** In lower case. */
  readonly name: string;
  /** Names of properties from the arguments down to the parameter. */
  readonly path: readonly string[];
}

const NUMBER = /^-?\d{1,32}(?:\.\d{1,32})?$/;

const toolShape = v.object({ inputSchema: v.unknown() });

/** The headers of a tool, or why its annotations break the rules. */
export type ParamHeaders = { readonly headers: readonly ParamHeader[] } | {
  readonly invalid: string;
};

/** Reads the annotations of a tool from its raw JSON text. */
export function readParamHeaders(raw: string): ParamHeaders {
  // Few tools have any, and looking for the word costs a hundredth of reading the schema.
  if (!raw.includes(ANNOTATION)) return { headers: [] };
  const tool = v.safeParse(toolShape, JSON.parse(raw));
  if (!tool.success) return { headers: [] };
  const found = readAnnotations(tool.output.inputSchema);
  return typeof found === "string"
    ? { invalid: found }
    : { headers: found.map(({ path, header }) => ({ name: header.toLowerCase(), path })) };
}

/**
 * Checks that the headers of a call say what its arguments say.
 *
 * @param args JSON text of the arguments; undefined when it has none.
 * @param given Values of `Mcp-Param-<name>` as sent, by the name in lower case; those that the tool
 * does not have are ignored.
 * @throws {GatewayError} `header_mismatch`.
 */
export function checkParamHeaders(
  headers: readonly ParamHeader[],
  args: string | undefined,
  given: Readonly<Record<string, string>>,
): void {
  if (headers.length === 0) return;
  const values: unknown = args === undefined ? {} : JSON.parse(args);
  for (const { name, path } of headers) {
    const value = valueAt(values, path);
    const header = Object.hasOwn(given, name) ? given[name] : undefined;
    if (header === undefined && (value === undefined || value === null)) continue;
    if (header === undefined) throw mismatch(name, "is missing");
    const mirrored = mirroredValue(header);
    if (mirrored === undefined) throw mismatch(name, "cannot be read");
    if (!isSame(value, mirrored)) throw mismatch(name, "differs from the argument that it repeats");
  }
}

function valueAt(value: unknown, path: readonly string[]): unknown {
  let at = value;
  for (const name of path) {
    if (typeof at !== "object" || at === null || !Object.hasOwn(at, name)) return undefined;
    at = (at as Readonly<Record<string, unknown>>)[name];
  }
  return at;
}

function isSame(value: unknown, header: string): boolean {
  switch (typeof value) {
    case "string":
      return value === header;
    case "number":
      return NUMBER.test(header) && Number(header) === value;
    case "boolean":
      return String(value) === header;
    default:
      return false;
  }
}

function mismatch(name: string, what: string): GatewayError {
  return new GatewayError(
    "header_mismatch",
    `Cannot call the tool: the header Mcp-Param-${name} ${what}, list the tools again and retry`,
  );
}
