/** Keywords of JSON Schema whose values are numbers. */
const NUMBERS = [
  "minimum",
  "maximum",
  "exclusiveMinimum",
  "exclusiveMaximum",
  "multipleOf",
  "minLength",
  "maxLength",
  "minItems",
  "maxItems",
  "minProperties",
  "maxProperties",
];

/** Keywords whose values are true or false, where they are no schemas. */
const SWITCHES = ["uniqueItems", "additionalProperties", "deprecated", "readOnly", "writeOnly"];

/** Keywords whose values are of the type that the schema is about. */
const VALUES = ["default", "const", "enum", "example", "examples"];

/** Keywords under which names are the author's own, and the values schemas. */
const NAMED = ["properties", "patternProperties", "$defs", "definitions"];

/**
 * JSON text of the input schema of a tool, of which a catalog's reader knows the text alone: scalars get
 * the types that JSON Schema gives them. Its type is object whatever the catalog says (MCP 2025-11-25
 * server/tools).
 */
export function inputSchema(parameters: Readonly<Record<string, unknown>> | undefined): string {
  return JSON.stringify({ ...typed(parameters ?? {}), type: "object" });
}

function typed(schema: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const type = typeof schema["type"] === "string" ? schema["type"] : undefined;
  return Object.fromEntries(
    Object.entries(schema).map(([key, value]) => [key, typedKeyword(key, value, type)]),
  );
}

function typedKeyword(key: string, value: unknown, type: string | undefined): unknown {
  if (NUMBERS.includes(key) && isText(value)) return Number(value);
  if (SWITCHES.includes(key) && isText(value)) return value === "true";
  if (VALUES.includes(key)) return valueOf(value, type);
  if (NAMED.includes(key) && isMap(value)) {
    return Object.fromEntries(
      Object.entries(value).map(([name, child]) => [name, isMap(child) ? typed(child) : {}]),
    );
  }
  return nested(value);
}

function nested(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(nested);
  return isMap(value) ? typed(value) : value;
}

function valueOf(value: unknown, type: string | undefined): unknown {
  if (Array.isArray(value)) return value.map((item) => valueOf(item, type));
  if (!isText(value)) return value;
  const isNumber = type === "integer" || type === "number";
  if (isNumber && Number.isFinite(Number(value))) return Number(value);
  return type === "boolean" ? value === "true" : value;
}

function isText(value: unknown): value is string {
  return typeof value === "string";
}

function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
