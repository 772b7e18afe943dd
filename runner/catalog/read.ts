/**
 * Reads the text of a catalog, whichever format it has.
 *
 *     text → YAML or JSON → registry: → each entry of a catalog.yaml
 *                         → packages: or remotes: → a server.json of the official registry
 *                         → else a server.yaml
 *
 * An entry that cannot be used is a problem of its own; a field that nobody knows is a warning.
 *
 * @module
 */
import * as v from "valibot";
import { GatewayError } from "../../src/errors.ts";
import { printable } from "../../src/log.ts";
import { readDocument } from "../config/document.ts";
import { formatPath, problemsError } from "../config/problem.ts";
import { fromCatalogItem, fromServerFile } from "./docker-entry.ts";
import { catalogFile, catalogItem, serverFile } from "./docker-fields.ts";
import type { CatalogEntry } from "./entry.ts";
import { unknownFields } from "./field.ts";
import { fromServerJson, serverJson } from "./server-json.ts";

/** What a text holds. */
export interface ReadCatalog {
  /** Entries of Docker's formats; their names are unique. */
  readonly entries: readonly CatalogEntry[];
  /** Servers of the official registry's format, named as there. */
  readonly servers: readonly CatalogEntry[];
  /** Unknown fields, and entries that cannot be used: `file:line:column path: text`. */
  readonly warnings: readonly string[];
}

/**
 * Reads a catalog.
 *
 * @param file What it is called in messages.
 * @throws {GatewayError} `config_invalid` when it is no YAML, or of none of the formats.
 */
export async function readCatalog(text: string, file: string): Promise<ReadCatalog> {
  const document = await readDocument(text);
  if (document.problems.length > 0) throw problemsError({ file, text }, document.problems);
  const { data } = document;
  const warnings: string[] = [];
  const where = lineFinder(text);
  const warn: Warn = (path, spot, message) => {
    const { line, column } = where(document.offsetOf(path, spot));
    warnings.push(`${printable(file)}:${line}:${column} ${formatPath(path)}: ${message}`);
  };
  if (!isMap(data)) throw noCatalog(file);

  if ("registry" in data) {
    const whole = v.safeParse(catalogFile, data);
    if (!whole.success) throw noCatalog(file);
    for (const path of unknownFields(catalogFile, data)) warn(path, "key", "unknown field");
    const entries = Object.entries(whole.output.registry).flatMap(([name, item]) =>
      entryOf(item, ["registry", name], catalogItem, warn, (it) => fromCatalogItem(name, it, file))
    );
    return { entries, servers: [], warnings };
  }
  if (
    "packages" in data || "remotes" in data || String(data["$schema"]).includes("server.schema")
  ) {
    const servers = entryOf(data, [], serverJson, warn, (it) => fromServerJson(it, file));
    return { entries: [], servers, warnings };
  }
  if (!("name" in data) || !("type" in data)) throw noCatalog(file);
  const entries = entryOf(data, [], serverFile, warn, (it) => fromServerFile(it, file));
  return { entries, servers: [], warnings };
}

type Warn = (path: readonly (string | number)[], spot: "key" | "value", message: string) => void;

function entryOf<const T extends v.GenericSchema>(
  data: unknown,
  path: readonly string[],
  schema: T,
  warn: Warn,
  make: (fields: v.InferOutput<T>) => CatalogEntry,
): readonly CatalogEntry[] {
  try {
    const parsed = v.safeParse(schema, data);
    if (!parsed.success) {
      for (const issue of parsed.issues.slice(0, 5)) {
        const keys = (issue.path ?? []).map(({ key }) => key as string | number);
        warn([...path, ...keys], "value", `not used: ${printable(issue.message)}`);
      }
      return [];
    }
    for (const field of unknownFields(schema, data)) {
      warn([...path, ...field], "key", "unknown field");
    }
    return [make(parsed.output)];
  } catch (error) {
    if (!(error instanceof GatewayError) && !(error instanceof RangeError)) throw error;
    // The stack is as deep as a schema may be nested.
    const why = error instanceof RangeError ? "it is nested too deeply" : error.message;
    warn(path, "value", `not used: ${why}`);
    return [];
  }
}

/** Lines and columns of offsets, without counting from the start each time. */
function lineFinder(text: string) {
  const starts = [0];
  for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) starts.push(at + 1);
  return (offset: number) => {
    let low = 0;
    let high = starts.length;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if ((starts[middle] ?? 0) <= offset) low = middle;
      else high = middle;
    }
    return { line: low + 1, column: offset - (starts[low] ?? 0) + 1 };
  };
}

function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function noCatalog(file: string): GatewayError {
  return new GatewayError(
    "config_invalid",
    `Cannot use ${
      printable(file)
    }: it is neither a catalog.yaml (with registry:), a server.yaml nor a server.json`,
  );
}
