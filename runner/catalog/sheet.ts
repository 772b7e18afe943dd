/**
 * What an entry would run, in words, and how a configuration names it. For `catalog show` and `add`. All
 * texts are an author's own: whoever prints them escapes them.
 *
 * @module
 */
import type { CatalogEntry, EntryProgram } from "./entry.ts";
import { kindText, type SchemaNode } from "./parameters.ts";

/** A line of a sheet: what it is about, and what is said of it; more lines follow below it. */
export interface SheetLine {
  readonly what: string;
  readonly text: string;
}

/** What `entry` would run. */
export function sheetOf(entry: CatalogEntry): readonly SheetLine[] {
  const { program } = entry;
  const lines: SheetLine[] = [
    { what: "title", text: entry.title },
    ...told(
      "about",
      entry.description === "" ? [] : [entry.description.replace(/\s+/g, " ").trim()],
    ),
    ...told("tags", entry.tags.length > 0 ? [entry.tags.join(", ")] : []),
    { what: "from", text: entry.place },
    ...programLines(entry, program),
    ...told("variables", entry.env.map(({ name, value }) => `${name} = ${value}`)),
    ...told(
      "secrets",
      entry.secrets.map(({ name, variable, required }) =>
        `${variable} from store:${name}${required ? "" : " (optional)"}`
      ),
    ),
    ...told("config", parameterLines(entry.parameters)),
    ...told("volumes", entry.volumes),
    ...told("user", entry.user === undefined ? [] : [entry.user]),
  ];
  if (program.kind !== "remote") lines.push({ what: "network", text: networkText(entry) });
  if (entry.isLongLived) {
    lines.push({ what: "lifetime", text: "client: keeps a state for each client" });
  }
  return [
    ...lines,
    ...told("hosts", entry.extraHosts),
    ...told("tools", entry.tools.map(({ name }) => name)),
    ...told("note", entry.notes),
  ];
}

function programLines(entry: CatalogEntry, program: EntryProgram): readonly SheetLine[] {
  const command = entry.command.map(({ template }) => template).join(" ");
  switch (program.kind) {
    case "container":
      return [
        { what: "runs", text: program.source },
        ...told("command", command === "" ? [] : [command]),
      ];
    case "remote":
      return [
        { what: "connects to", text: `${program.url} (${program.transport})` },
        ...told(
          "headers",
          Object.entries(program.headers).map(([name, value]) => `${name}: ${value}`),
        ),
        ...told("log in", program.isOAuth ? ["with OAuth"] : []),
      ];
    case "commands":
      return entry.tools.map(({ name, container }) => ({
        what: "runs",
        text: `image:${container?.image ?? ""} ${container?.command.join(" ") ?? ""} for ${name}`,
      }));
  }
}

function networkText({ disableNetwork, allowHosts }: CatalogEntry): string {
  if (disableNetwork) return "none";
  return allowHosts.length > 0
    ? allowHosts.join(", ")
    : "none: the entry does not say what it needs, name it under network";
}

function parameterLines(schema: SchemaNode, above = ""): readonly string[] {
  const { properties = {}, required = [] } = schema;
  return Object.entries(properties).flatMap(([name, node]) => {
    const path = `${above}${name}`;
    if (node.properties !== undefined) return parameterLines(node, `${path}.`);
    const facts = [
      kindText(node),
      required.includes(name) ? "required" : "",
      typeof node.default === "string" ? `default ${node.default}` : "",
      node.description?.replace(/\s+/g, " ").trim() ?? "",
    ].filter((fact) => fact !== "");
    return [`${path}: ${facts.join("; ")}`];
  });
}

function told(what: string, texts: readonly string[]): readonly SheetLine[] {
  return texts.map((text, at) => ({ what: at === 0 ? what : "", text }));
}

/** How a configuration names the entry: lines of YAML to fill in. */
export function snippetOf(entry: CatalogEntry): readonly string[] {
  const name = entry.name.toLowerCase().replace(/^.*\//, "").replace(/[^a-z0-9-]+/g, "-")
    .replace(/^-+|-+$/g, "").slice(0, 32) || "server";
  const scheme = entry.name.includes("/") ? "registry" : "docker";
  const config = settingsOf(entry.parameters, "      ");
  const needsNetwork = entry.program.kind !== "remote" && !entry.disableNetwork &&
    entry.allowHosts.length === 0;
  return [
    "servers:",
    `  ${name}:`,
    `    source: ${scheme}:${entry.name}`,
    ...(config.length > 0 ? ["    config:", ...config] : []),
    ...(entry.secrets.length > 0 ? ["    # secrets:"] : []),
    ...entry.secrets.map((it) => `    #   ${it.variable}: store:${it.name}`),
    ...(needsNetwork ? ["    # network: [api.example.com:443]"] : []),
    "    tools: { allow: [] }",
  ];
}

function settingsOf({ properties = {}, required = [] }: SchemaNode, indent: string): string[] {
  return Object.entries(properties).flatMap(([name, node]) => {
    const key = /^[A-Za-z_][A-Za-z0-9_-]*$/.test(name) ? name : JSON.stringify(name);
    const mark = required.includes(name) ? "" : "# ";
    if (node.properties !== undefined) {
      return [`${indent}# ${key}:`, ...settingsOf({ ...node, required: [] }, `${indent}  `)];
    }
    return [`${indent}${mark}${key}: ${exampleOf(node)}`];
  });
}

/** What stands for a value of which nothing is known. */
const BLANKS: Readonly<Record<string, string>> = {
  array: "[]",
  boolean: "true",
  integer: "0",
  number: "0",
};

function exampleOf(node: SchemaNode): string {
  const example = node.example ?? node.default ?? node.enum?.[0];
  if (Array.isArray(example)) {
    return `[${example.map((one) => JSON.stringify(String(one))).join(", ")}]`;
  }
  if (typeof example !== "string") return BLANKS[node.type ?? ""] ?? '""';
  return node.type === "integer" || node.type === "number" || node.type === "boolean"
    ? example
    : JSON.stringify(example);
}
