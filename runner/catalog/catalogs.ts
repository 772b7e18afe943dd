/**
 * All catalogs of a config, read when something is asked for.
 *
 *     find(entry):       the config's own catalogs in their order → Docker's public catalog
 *     registered(name):  the config's own catalogs → the official MCP registry
 *
 * @module
 */
import { GatewayError, toGatewayError } from "../../src/errors.ts";
import { printable } from "../../src/log.ts";
import { quote } from "../config/problem.ts";
import { suggest } from "../config/suggest.ts";
import { download, type Downloads, NotFetched } from "./download.ts";
import type { CatalogEntry } from "./entry.ts";
import type { EntrySource } from "./expand.ts";
import { type CatalogText, readPlace } from "./place.ts";
import { readCatalog } from "./read.ts";
import { readRegistryAnswer } from "./registry-answer.ts";
import { sliceOf } from "./slice.ts";

/** Docker's public catalog, version 3. */
const DOCKER_CATALOG = "https://desktop.docker.com/mcp/catalog/v3/catalog.yaml";

/** API of the official MCP registry, version 0.1. */
const REGISTRY = "https://registry.modelcontextprotocol.io/v0.1";

/** Warnings that are told of one text. */
const MAX_WARNINGS = 10;

/** Where catalogs come from. */
export interface CatalogsContext {
  /** State directory, absolute. */
  readonly home: string;
  /** The config's own catalogs: absolute paths and https URLs. */
  readonly places: readonly string[];
  readonly fetch?: typeof fetch;
  /** Milliseconds since the epoch. */
  readonly now?: () => number;
  /** Gets one line for each unknown field, entry that cannot be used, and name that is there twice. */
  readonly note?: (line: string) => void;
}

/** The catalogs of a config. */
export interface Catalogs extends EntrySource {
  /**
   * All entries that `find` finds, by name; of each name the first.
   *
   * @throws {GatewayError} `config_invalid` when a catalog of the config cannot be read.
   */
  entries(): Promise<readonly CatalogEntry[]>;
  /** Fetches all that is from the web again. Throws as `entries`. */
  refresh(): Promise<void>;
}

/** Opens the catalogs; nothing is read yet. */
export function openCatalogs(context: CatalogsContext): Catalogs {
  const { home, places, now = Date.now, note = () => {} } = context;
  const downloads: Downloads = {
    home,
    now,
    // Taken when it is used: a test may replace the global one.
    fetch: context.fetch ?? ((input, init) => fetch(input, init)),
  };
  let own: Promise<ReadAll> | undefined;
  let dockers: Promise<ReadAll> | undefined;
  let whole: Promise<CatalogText> | undefined;

  async function fetched(url: string, what: string, refresh: boolean): Promise<CatalogText> {
    const { text, stale, fetchedMs } = await download(url, downloads, { refresh, what });
    if (stale !== undefined) {
      const day = new Date(fetchedMs).toISOString().slice(0, 10);
      note(`Using the copy of ${day} of ${what}: ${stale}`);
    }
    return { text, name: url };
  }
  async function readOwn(refresh: boolean): Promise<ReadAll> {
    const texts = await Promise.all(
      places.map(async (place) =>
        place.startsWith("https://")
          ? [await fetched(place, `the catalog ${place}`, refresh)]
          : await readPlace(place)
      ),
    );
    return await readAll(texts.flat(), note);
  }
  const wholeOnce = () => whole ??= fetchDockers(false);
  async function fetchDockers(refresh: boolean): Promise<CatalogText> {
    try {
      return await fetched(DOCKER_CATALOG, "Docker's catalog", refresh);
    } catch (error) {
      // What could not be read is tried again when it is next asked for.
      whole = undefined;
      throw error;
    }
  }
  async function readDockers(text: Promise<CatalogText>): Promise<ReadAll> {
    return await readAll([await text], note);
  }
  /** An entry of Docker's catalog, without reading the others. */
  async function sliced(name: string): Promise<CatalogEntry | undefined> {
    if (dockers !== undefined) return undefined;
    const { text, name: file } = await wholeOnce();
    const slice = sliceOf(text, name);
    if (slice === undefined) return undefined;
    // An alias of another entry's anchor, for one: the whole catalog will tell.
    const read = await readCatalog(slice, file).catch(() => undefined);
    const entry = read?.entries.find((it) => it.name === name);
    if (read === undefined || entry === undefined) return undefined;
    for (const warning of read.warnings) note(warning);
    return entry;
  }
  const ownOnce = () =>
    own ??= readOwn(false).catch((error) => {
      own = undefined;
      throw error;
    });
  const dockersOnce = () =>
    dockers ??= readDockers(wholeOnce()).catch((error) => {
      dockers = undefined;
      throw error;
    });

  return {
    async find(name) {
      const known = await ownOnce();
      const entry = known.entries.get(name) ?? await sliced(name) ??
        (await dockersOnce()).entries.get(name);
      if (entry !== undefined) return entry;
      const names = [...known.entries.keys(), ...(await dockersOnce()).entries.keys()];
      const meant = suggest(name, names);
      throw new GatewayError(
        "config_invalid",
        `Cannot find ${quote(name)} in a catalog: ${
          meant
            ? `did you mean ${quote(meant)}`
            : '"mcp-runner catalog search <words>" finds others'
        }`,
      );
    },
    async registered(name, version) {
      const local = (await ownOnce()).servers.get(name);
      if (local !== undefined) return local;
      const at = `${encodeURIComponent(name)}/versions/${encodeURIComponent(version ?? "latest")}`;
      const what = `${name} of the MCP registry`;
      try {
        const { text } = await fetched(`${REGISTRY}/servers/${at}`, what, false);
        return await readRegistryAnswer(text, name, note);
      } catch (error) {
        const { cause } = error instanceof Error ? error : {};
        if (!(cause instanceof NotFetched) || cause.status !== 404) throw error;
        throw new GatewayError(
          "config_invalid",
          `Cannot find ${quote(name)}${
            version === undefined ? "" : ` in version ${quote(version)}`
          } in the MCP registry, check the name at registry.modelcontextprotocol.io`,
          { cause },
        );
      }
    },
    async entries() {
      const first = await ownOnce();
      const second = await dockersOnce().catch((error: unknown) => {
        // What is here can be listed without the rest.
        if (first.entries.size + first.servers.size === 0) throw error;
        note(toGatewayError(error).message);
        return NOTHING;
      });
      const all = new Map([...second.entries, ...first.entries, ...first.servers]);
      return [...all.values()].toSorted((a, b) => a.name < b.name ? -1 : 1);
    },
    async refresh() {
      whole = fetchDockers(true);
      [own, dockers] = [readOwn(true), readDockers(whole)];
      try {
        await Promise.all([own, dockers]);
      } catch (error) {
        own = dockers = whole = undefined;
        throw error;
      }
    },
  };
}

interface ReadAll {
  readonly entries: ReadonlyMap<string, CatalogEntry>;
  readonly servers: ReadonlyMap<string, CatalogEntry>;
}

const NOTHING: ReadAll = { entries: new Map(), servers: new Map() };

async function readAll(
  texts: readonly CatalogText[],
  note: (line: string) => void,
): Promise<ReadAll> {
  const entries = new Map<string, CatalogEntry>();
  const servers = new Map<string, CatalogEntry>();
  const add = (to: Map<string, CatalogEntry>, entry: CatalogEntry) => {
    const first = to.get(entry.name);
    if (first === undefined) to.set(entry.name, entry);
    else note(`${quote(entry.name)} of ${entry.place} is not used: ${first.place} has one, too`);
  };
  for (const { text, name } of texts) {
    const read = await readCatalog(text, name);
    for (const warning of read.warnings.slice(0, MAX_WARNINGS)) note(warning);
    const more = read.warnings.length - MAX_WARNINGS;
    if (more > 0) note(`${printable(name)}: … and ${more} more`);
    for (const entry of read.entries) add(entries, entry);
    for (const entry of read.servers) add(servers, entry);
  }
  return { entries, servers };
}
