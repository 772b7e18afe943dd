/**
 * Makes of a server whose source is an entry of a catalog one that can be run.
 *
 *     docker:<entry>, registry:<name> → entry → settings checked → image, npm, pypi
 *                                                                → http
 *                                                                → commands
 *
 * What the user wrote wins: `args` in place of the entry's command; `env`, `secrets` and `headers` by
 * name; `volumes` by their path in the container; `network`, `user` and `lifetime` where they are given.
 * Nothing that an entry says widens what a server may do beyond what a config could say.
 *
 * @module
 */
import { GatewayError } from "../../src/errors.ts";
import { printable } from "../../src/log.ts";
import type { ServerConfig } from "../config/config.ts";
import { formatPath, quote } from "../config/problem.ts";
import type { VolumePlace } from "../config/volume.ts";
import type { CatalogEntry } from "./entry.ts";
import { expandCommands } from "./expand-commands.ts";
import { expandContainer } from "./expand-container.ts";
import { expandRemote } from "./expand-remote.ts";
import { checkSettings, type Setting } from "./parameters.ts";
import { pathsOf, type TemplateScope, type Value } from "./template.ts";

/** Where entries come from. */
export interface EntrySource {
  /**
   * The entry of that name in the user's catalogs, else in Docker's.
   *
   * @throws {GatewayError} `config_invalid` when there is none, or none can be reached.
   */
  find(entry: string): Promise<CatalogEntry>;
  /**
   * A server of the official registry, its latest version unless given.
   *
   * @throws {GatewayError} as `find`.
   */
  registered(name: string, version?: string): Promise<CatalogEntry>;
}

/** Where a config lies, and who hears what an entry wants and does not get. */
export interface ExpansionPlace {
  /** The config file as the user named it. */
  readonly file: string;
  /** What host paths are read against. */
  readonly volumes: VolumePlace;
  /** Gets one line for each thing that is not as the entry says. */
  readonly note?: (line: string) => void;
}

/** What the kinds of entry are expanded with. */
export interface Expansion {
  readonly config: ServerConfig;
  readonly entry: CatalogEntry;
  readonly scope: TemplateScope;
  readonly place: VolumePlace;
  readonly note: (line: string) => void;
}

/**
 * The same server with a source that can be run; a server that needs no catalog is returned as it is.
 *
 * @throws {GatewayError} `config_invalid` naming the server, the file, and each parameter that is wrong.
 */
export async function expandServer(
  config: ServerConfig,
  catalogs: EntrySource,
  place: ExpansionPlace,
): Promise<ServerConfig> {
  const { source, name } = config;
  if (source.kind !== "docker" && source.kind !== "registry") return config;
  const entry = source.kind === "docker"
    ? await catalogs.find(source.entry)
    : await catalogs.registered(source.name, source.version);
  const note = (line: string) => place.note?.(`Server "${name}": ${printable(line)}`);
  for (const line of entry.notes) note(line);
  try {
    return expandEntry(config, entry, { ...place, note });
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error;
    throw new GatewayError(
      "config_invalid",
      `Cannot use server "${name}" of ${printable(place.file)} (catalog entry ${
        quote(entry.name)
      }): ${error.message}`,
      { cause: error },
    );
  }
}

function expandEntry(
  config: ServerConfig,
  entry: CatalogEntry,
  { volumes: place, note }: ExpansionPlace & Pick<Expansion, "note">,
): ServerConfig {
  const strip = (path: string) => withoutName(path, entry.name);
  const { values, problems } = checkSettings(config.settings, entry.parameters, {
    used: templatesOf(entry).flatMap(pathsOf).map(strip),
    // A path of the author's machine: which of their files a server sees is for the user to say.
    withoutDefault: entry.volumes.flatMap(pathsOf).map(strip),
  });
  if (problems.length > 0) {
    const lines = problems.map(({ path, text }) =>
      `${formatPath(["servers", config.name, "config", ...path])} ${text}`
    );
    throw new GatewayError("config_invalid", lines.join("; "));
  }
  const scope: TemplateScope = {
    lookup: (path) => valueAt(values, strip(path).split(".")),
    paths: place,
  };
  const expansion: Expansion = { config: { ...config, settings: {} }, entry, scope, place, note };
  switch (entry.program.kind) {
    case "container":
      return expandContainer(expansion, entry.program.source);
    case "remote":
      return expandRemote(expansion, entry.program);
    case "commands":
      return expandCommands(expansion);
  }
}

/** Everything of an entry that may hold templates over the user's settings. */
function templatesOf(entry: CatalogEntry): readonly string[] {
  const { program } = entry;
  return [
    ...entry.command.map(({ template }) => template),
    ...entry.command.flatMap(({ needs }) => needs === undefined ? [] : [`{{${needs}}}`]),
    ...entry.env.map(({ value }) => value),
    ...entry.volumes,
    ...(entry.user === undefined ? [] : [entry.user]),
    ...(program.kind === "remote" ? [program.url, ...Object.values(program.headers)] : []),
  ];
}

/** Templates begin with the name of the entry, in which a dot is written as `_`. */
function withoutName(path: string, name: string): string {
  for (const prefix of [`${name}.`, `${name.replaceAll(".", "_")}.`]) {
    if (path.startsWith(prefix)) return path.slice(prefix.length);
  }
  return path;
}

function valueAt(values: Readonly<Record<string, Setting>>, path: readonly string[]): Value {
  let at: Setting | undefined = values;
  for (const key of path) {
    if (typeof at !== "object" || isList(at) || !Object.hasOwn(at, key)) return undefined;
    at = at[key];
  }
  return at;
}

function isList(value: Setting): value is readonly string[] {
  return Array.isArray(value);
}
