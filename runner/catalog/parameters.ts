/**
 * The settings that a user gives to an entry of a catalog, held against the schema that the entry has
 * for them. All settings and schemas arrive as text (runner/config/document.ts): types are what the
 * schema says.
 *
 * @module
 */
import { quote } from "../config/problem.ts";
import { suggest } from "../config/suggest.ts";

/** The part of JSON Schema that catalogs use. All scalars are text. */
export interface SchemaNode {
  readonly type?: string | undefined;
  readonly title?: string | undefined;
  readonly description?: string | undefined;
  readonly default?: unknown;
  readonly example?: unknown;
  readonly enum?: readonly string[] | undefined;
  readonly pattern?: string | undefined;
  readonly minimum?: string | undefined;
  readonly maximum?: string | undefined;
  readonly items?: SchemaNode | undefined;
  readonly properties?: Readonly<Record<string, SchemaNode>> | undefined;
  readonly required?: readonly string[] | undefined;
  readonly anyOf?: readonly Alternative[] | undefined;
  readonly oneOf?: readonly Alternative[] | undefined;
}

/** One of several sets of parameters, of which one has to be given. */
interface Alternative {
  readonly required?: readonly string[] | undefined;
}

/** A checked setting: text, a list of texts, or a map of settings. */
export type Setting = string | readonly string[] | { readonly [name: string]: Setting };

/** A setting that cannot be used. */
export interface SettingProblem {
  /** Keys from the map of the settings on. */
  readonly path: readonly string[];
  /** What is wrong, then what is allowed; follows the path. */
  readonly text: string;
}

/** What came of the settings. */
export interface CheckedSettings {
  readonly values: Readonly<Record<string, Setting>>;
  readonly problems: readonly SettingProblem[];
}

/** What else is known of the parameters. */
export interface SettingFacts {
  /** Dotted paths that templates use, though the schema may not have them. */
  readonly used: readonly string[];
  /** Dotted paths whose default is of another machine: never applied. */
  readonly withoutDefault: readonly string[];
}

/** Longest setting that a pattern is tried on, and longest pattern, in characters. */
const MAX_PATTERN = 256;

/** Checks `settings`, fills in defaults, and lists all that is wrong. */
export function checkSettings(
  settings: Readonly<Record<string, unknown>>,
  schema: SchemaNode,
  facts: SettingFacts,
): CheckedSettings {
  const problems: SettingProblem[] = [];
  const values = readMap(settings, schema, [], { ...facts, problems }) ?? {};
  return { values, problems };
}

interface Reading extends SettingFacts {
  readonly problems: SettingProblem[];
}

function readMap(
  input: unknown,
  schema: SchemaNode,
  path: readonly string[],
  reading: Reading,
): Record<string, Setting> | undefined {
  if (!isMap(input)) {
    reading.problems.push({ path, text: "is not a map, write name: value lines" });
    return undefined;
  }
  const { properties = {}, required = [] } = schema;
  const known = Object.keys(properties);
  const values: Record<string, Setting> = {};
  for (const name of new Set([...known, ...Object.keys(input)])) {
    const node = Object.hasOwn(properties, name) ? properties[name] : undefined;
    const at = [...path, name];
    const given: unknown = Object.hasOwn(input, name) ? input[name] : undefined;
    if (node === undefined && !isUsed(at, reading.used)) {
      const meant = suggest(name, known);
      const allowed = known.length === 0
        ? "the entry has no parameters here, remove it"
        : `unknown parameter, ${
          meant ? `did you mean "${meant}"` : `known are ${known.join(", ")}`
        }`;
      reading.problems.push({ path: at, text: allowed });
      continue;
    }
    const isGiven = given !== undefined && given !== null;
    const value = isGiven
      ? readValue(given, node ?? {}, at, reading)
      : defaultOf(node ?? {}, at, reading);
    if (value !== undefined) values[name] = value;
    // What no template uses would be asked for in vain.
    else if (!isGiven && required.includes(name) && isUsed(at, reading.used)) {
      reading.problems.push({ path: at, text: `is missing${toldAs(node)}` });
    }
  }
  for (const name of required.filter((name) => !known.includes(name) && !(name in values))) {
    const at = [...path, name];
    if (isUsed(at, reading.used)) reading.problems.push({ path: at, text: "is missing" });
  }
  checkAlternatives(values, schema, path, reading);
  return values;
}

function readValue(
  given: unknown,
  node: SchemaNode,
  path: readonly string[],
  reading: Reading,
): Setting | undefined {
  if (isMap(given)) {
    if (node.type === "object" || node.properties || reading.used.some((it) => below(path, it))) {
      return readMap(given, node, path, reading);
    }
    return fail(path, `is a map, write ${kindText(node)}`, reading);
  }
  if (node.type === "object") return fail(path, "is not a map, write name: value lines", reading);
  if (Array.isArray(given)) {
    if (node.type !== undefined && node.type !== "array") {
      return fail(path, `is a list, write ${kindText(node)}`, reading);
    }
    const items = given.map((item, index) =>
      readScalar(item, node.items ?? {}, [...path, String(index)], reading)
    );
    return items.filter((item) => item !== undefined);
  }
  const scalar = readScalar(
    given,
    node.type === "array" ? node.items ?? {} : node,
    path,
    reading,
  );
  // One item needs no brackets.
  return node.type === "array" && scalar !== undefined ? [scalar] : scalar;
}

function readScalar(
  given: unknown,
  node: SchemaNode,
  path: readonly string[],
  reading: Reading,
): string | undefined {
  if (typeof given !== "string" && typeof given !== "number" && typeof given !== "boolean") {
    return fail(path, `is not ${kindText(node)}`, reading);
  }
  const text = String(given);
  const wrong = text.includes("\0")
    ? "holds a zero character, remove it"
    : typeProblem(text, node) ?? rangeProblem(text, node) ?? patternProblem(text, node);
  return wrong === undefined ? text : fail(path, wrong, reading);
}

/** The values are not repeated: a setting may be private. */
function typeProblem(text: string, { type, enum: allowed }: SchemaNode): string | undefined {
  if (allowed !== undefined && !allowed.includes(text)) {
    return `is not one of ${allowed.map(quote).join(", ")}`;
  }
  switch (type) {
    case "integer":
      return /^-?\d{1,15}$/.test(text) ? undefined : "is not a whole number, write one such as 10";
    case "number":
      return /^-?\d{1,15}(?:\.\d{1,15})?(?:[eE][+-]?\d{1,3})?$/.test(text)
        ? undefined
        : "is not a number, write one such as 0.5";
    case "boolean":
      return text === "true" || text === "false" ? undefined : "is neither true nor false";
    default:
      return undefined;
  }
}

function rangeProblem(text: string, { type, minimum, maximum }: SchemaNode): string | undefined {
  if (type !== "integer" && type !== "number") return undefined;
  if (minimum !== undefined && Number(text) < Number(minimum)) return `is less than ${minimum}`;
  if (maximum !== undefined && Number(text) > Number(maximum)) return `is more than ${maximum}`;
  return undefined;
}

function patternProblem(text: string, { pattern }: SchemaNode): string | undefined {
  if (pattern === undefined || !isPlain(pattern) || text.length > MAX_PATTERN) return undefined;
  try {
    return new RegExp(pattern, "u").test(text) ? undefined : `does not match ${quote(pattern)}`;
  } catch {
    // Not a pattern of JavaScript: the server itself will say what it thinks of the value.
    return undefined;
  }
}

/** Whether a pattern, which a stranger wrote, can be tried in reasonable time: no repeated repetition. */
function isPlain(pattern: string): boolean {
  return pattern.length <= MAX_PATTERN && !/\)[*+{?]/.test(pattern) &&
    (pattern.match(/[*+{]/g)?.length ?? 0) <= 3 && !/\\[1-9k]/.test(pattern);
}

function defaultOf(
  node: SchemaNode,
  path: readonly string[],
  reading: Reading,
): Setting | undefined {
  if (reading.withoutDefault.includes(path.join("."))) return undefined;
  const { default: value, properties } = node;
  if (typeof value === "string" || Array.isArray(value)) {
    // A default that breaks its own schema is the entry's fault, and none.
    return readValue(value, node, path, { ...reading, problems: [] });
  }
  if (properties === undefined) return undefined;
  const inner = Object.entries(properties).flatMap(([name, child]) => {
    const own = defaultOf(child, [...path, name], reading);
    return own === undefined ? [] : [[name, own] as const];
  });
  // What a group requires is asked for only once something of the group is given.
  const isWhole = (node.required ?? []).every((name) => inner.some(([key]) => key === name));
  return inner.length > 0 && isWhole ? Object.fromEntries(inner) : undefined;
}

function checkAlternatives(
  values: Readonly<Record<string, Setting>>,
  { anyOf, oneOf }: SchemaNode,
  path: readonly string[],
  reading: Reading,
): void {
  for (const alternatives of [anyOf, oneOf]) {
    const sets = alternatives?.map(({ required = [] }) => required).filter((it) => it.length > 0);
    if (sets === undefined || sets.length === 0) continue;
    if (sets.some((names) => names.every((name) => name in values))) continue;
    const choice = sets.map((names) => names.join(" with ")).join(", or ");
    reading.problems.push({ path, text: `needs ${choice}` });
  }
}

function fail(path: readonly string[], text: string, reading: Reading): undefined {
  reading.problems.push({ path, text });
  return undefined;
}

function isUsed(path: readonly string[], used: readonly string[]): boolean {
  return used.includes(path.join(".")) || used.some((one) => below(path, one));
}

/** Whether the dotted path `inner` is inside of `path`. */
function below(path: readonly string[], inner: string): boolean {
  return inner.startsWith(`${path.join(".")}.`);
}

function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function toldAs(node: SchemaNode | undefined): string {
  const example = node?.example;
  return typeof example === "string" ? `, an example is ${quote(example)}` : "";
}

/** The kind of value that a parameter takes, in words. */
export function kindText({ type, items, enum: allowed }: SchemaNode): string {
  if (allowed !== undefined) return `one of ${allowed.map(quote).join(", ")}`;
  switch (type) {
    case "integer":
      return "a whole number";
    case "number":
      return "a number";
    case "boolean":
      return "true or false";
    case "array":
      return items?.type === undefined || items.type === "string"
        ? "a list of texts"
        : `a list of ${items.type} values`;
    case "object":
      return "a map";
    default:
      return "text";
  }
}
