import { parseConfig, type ServerConfig } from "../../runner/config/config.ts";
import type { CatalogEntry } from "../../runner/catalog/entry.ts";
import type { EntrySource, ExpansionPlace } from "../../runner/catalog/expand.ts";
import { readCatalog } from "../../runner/catalog/read.ts";

/** A machine without anything on it. */
export const VOLUME_PLACE = {
  platform: "linux",
  home: "/home/ada",
  directory: "/home/ada/project",
  ours: [],
} as const;

/** A place that keeps what it is told. */
export function expansionPlace(): ExpansionPlace & { readonly notes: string[] } {
  const notes: string[] = [];
  return {
    file: "mcp-runner.yaml",
    volumes: VOLUME_PLACE,
    notes,
    note: (line) => notes.push(line),
  };
}

/** A server as the lines of its configuration give it. */
export async function serverOf(yaml: string): Promise<ServerConfig> {
  const lines = yaml.trim().split("\n").map((line) => `    ${line}`).join("\n");
  const { servers: [server] } = await parseConfig(`version: 1\nservers:\n  mine:\n${lines}\n`, {
    file: "mcp-runner.yaml",
    cwd: "/home/ada/project",
    machine: VOLUME_PLACE,
  });
  if (server === undefined) throw new Error("The test has no server");
  return server;
}

/** A catalog of one text. */
export async function catalogOf(text: string): Promise<EntrySource> {
  const { entries, servers, warnings } = await readCatalog(text, "catalog.yaml");
  const find = (all: readonly CatalogEntry[], name: string) => {
    const entry = all.find((it) => it.name === name);
    if (entry === undefined) throw new Error(`The test has no ${name}: ${warnings.join("\n")}`);
    return Promise.resolve(entry);
  };
  return { find: (name) => find(entries, name), registered: (name) => find(servers, name) };
}
