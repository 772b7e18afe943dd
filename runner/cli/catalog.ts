/**
 * `catalog`: the servers that Docker's catalog and the config's own catalogs describe. Nothing is started.
 *
 * @module
 */
import { stat } from "node:fs/promises";
import { printable } from "../../src/log.ts";
import { type Catalogs, openCatalogs } from "../catalog/catalogs.ts";
import type { CatalogEntry } from "../catalog/entry.ts";
import { searchEntries } from "../catalog/search.ts";
import { sheetOf, snippetOf } from "../catalog/sheet.ts";
import { loadConfig } from "../config/config.ts";
import { parseSource } from "../config/source.ts";
import { openHome } from "../local/home.ts";
import {
  CONFIG_OPTION,
  DEFAULT_CONFIG,
  JSON_OPTION,
  readArguments,
  usageError,
} from "./arguments.ts";
import { commands } from "./commands.ts";
import type { Terminal } from "./terminal.ts";

const OPTIONS = { ...CONFIG_OPTION, ...JSON_OPTION, refresh: { type: "boolean" } } as const;

/** Characters of a description in a list. */
const MAX_SUMMARY = 70;

/** Entries that a search shows. */
const MAX_HITS = 20;

/** `catalog ls | search <words> | show <entry>`. */
export async function catalog(args: readonly string[], terminal: Terminal): Promise<void> {
  const { usage } = commands["catalog"] ?? { usage: "" };
  const { values, positionals: [action, ...words] } = readArguments(args, OPTIONS, usage);
  const catalogs = openCatalogs({
    home: await openHome(),
    places: await placesOf(values.config),
    note: (line) => terminal.note(printable(line)),
  });
  if (values.refresh) await catalogs.refresh();
  const output = { json: values.json ?? false, terminal };
  const [name] = words;
  if (action === "ls" && words.length === 0) return printEntries(await catalogs.entries(), output);
  if (action === "search" && name !== undefined) {
    const hits = searchEntries(await catalogs.entries(), words.join(" ")).slice(0, MAX_HITS);
    return printEntries(hits.map(({ entry }) => entry), output);
  }
  if (action === "show" && name !== undefined && words.length === 1) {
    return printEntry(await find(catalogs, name), output);
  }
  throw usageError("catalog needs ls, search and words, or show and the name of an entry", usage);
}

interface Output {
  readonly json: boolean;
  readonly terminal: Terminal;
}

/** The config's own catalogs; none where there is no config file and none was named. */
async function placesOf(file: string | undefined): Promise<readonly string[]> {
  const isThere = file !== undefined ||
    await stat(DEFAULT_CONFIG).then(() => true, () => false);
  return isThere ? (await loadConfig(file ?? DEFAULT_CONFIG)).catalogs : [];
}

/** An entry by its name, with or without `docker:` or `registry:` before it. */
async function find(catalogs: Catalogs, text: string): Promise<CatalogEntry> {
  const scheme = /^(?:docker|registry):/.test(text)
    ? ""
    : text.includes("/")
    ? "registry:"
    : "docker:";
  const source = parseSource(scheme + text);
  return source.kind === "registry"
    ? await catalogs.registered(source.name, source.version)
    : await catalogs.find(source.kind === "docker" ? source.entry : text);
}

function printEntries(entries: readonly CatalogEntry[], { json, terminal }: Output): void {
  if (json) {
    const listed = entries.map(({ name, title, description, category, tags, program }) => ({
      name,
      kind: program.kind,
      title,
      description,
      category,
      tags,
    }));
    terminal.out(JSON.stringify({ ok: true, entries: listed }));
    return;
  }
  if (entries.length === 0) terminal.note("No entries");
  const width = Math.min(32, Math.max(0, ...entries.map(({ name }) => name.length)));
  for (const { name, title, description } of entries) {
    const summary = description.replace(/\s+/g, " ").trim() || title;
    const cut = summary.length > MAX_SUMMARY ? `${summary.slice(0, MAX_SUMMARY - 1)}…` : summary;
    terminal.out(printable(`${name.padEnd(width)}  ${cut}`));
  }
}

function printEntry(entry: CatalogEntry, { json, terminal }: Output): void {
  if (json) {
    terminal.out(JSON.stringify({ ok: true, entry, config: snippetOf(entry).join("\n") }));
    return;
  }
  terminal.out(printable(entry.name));
  for (const { what, text } of sheetOf(entry)) {
    terminal.out(printable(`  ${what.padEnd(11)} ${text}`).trimEnd());
  }
  terminal.out("");
  terminal.out("In mcp-runner.yaml:");
  terminal.out("");
  for (const line of snippetOf(entry)) terminal.out(printable(line));
}
