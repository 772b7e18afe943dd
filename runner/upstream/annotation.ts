/** A parameter whose value a header repeats. */
export interface Annotation {
  /** Keys from the arguments to the value. */
  readonly path: readonly string[];
  /** What follows `Mcp-Param-` in the header's name. */
  readonly header: string;
}

/** The keyword of a schema that gives a parameter its header. */
export const ANNOTATION = "x-mcp-header";

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

const TYPES = ["string", "integer", "boolean"];

/** Keywords whose value is data, not schemas: a key in there says nothing. */
const DATA = new Set(["default", "const", "enum", "examples", ANNOTATION]);

/** Keywords whose value has schemas by name: its own keys are names, not keywords. */
const BY_NAME = new Set([
  "properties",
  "patternProperties",
  "dependentSchemas",
  "$defs",
  "definitions",
]);

type Json = Readonly<Record<string, unknown>>;

/**
 * The annotations of a tool's `inputSchema` (MCP 2026-07-28 streamable-http "Schema Extension").
 *
 * @returns The rule that the first wrong one breaks, in words for the user, instead.
 */
export function readAnnotations(schema: unknown): readonly Annotation[] | string {
  const found: Annotation[] = [];
  const headers = new Set<string>();

  /** `path` is undefined where a value has no fixed place in the arguments. */
  function visit(node: unknown, path: readonly string[] | undefined): string | undefined {
    if (Array.isArray(node)) return first(node, (each) => visit(each, undefined));
    if (!isObject(node)) return undefined;
    if (Object.hasOwn(node, ANNOTATION)) {
      const wrong = annotate(node, path);
      if (wrong !== undefined) return wrong;
    }
    return first(Object.entries(node), ([keyword, value]) => {
      if (DATA.has(keyword)) return undefined;
      if (!BY_NAME.has(keyword) || !isObject(value)) return visit(value, undefined);
      return first(Object.entries(value), ([name, each]) =>
        visit(
          each,
          keyword === "properties" && path !== undefined ? [...path, name] : undefined,
        ));
    });
  }

  function annotate(node: Json, path: readonly string[] | undefined): string | undefined {
    const header = node[ANNOTATION];
    if (path === undefined || path.length === 0) {
      return `${ANNOTATION} stands where a call has no single value`;
    }
    if (typeof header !== "string" || !TOKEN.test(header)) return `${ANNOTATION} is no header name`;
    if (typeof node["type"] !== "string" || !TYPES.includes(node["type"])) {
      return `${ANNOTATION} is on a parameter that is no string, integer or boolean`;
    }
    if (headers.has(header.toLowerCase())) {
      return `${ANNOTATION} gives two parameters the same name`;
    }
    headers.add(header.toLowerCase());
    found.push({ path, header });
    return undefined;
  }

  return visit(schema, []) ?? found;
}

function first<T>(
  values: readonly T[],
  look: (value: T) => string | undefined,
): string | undefined {
  for (const value of values) {
    const found = look(value);
    if (found !== undefined) return found;
  }
  return undefined;
}

function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
