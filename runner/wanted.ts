/**
 * What the servers of a config are to be: those of catalogs expanded, and all else that they are run with.
 *
 * @module
 */
import { toGatewayError } from "../src/errors.ts";
import { openCatalogs } from "./catalog/catalogs.ts";
import { expandServer } from "./catalog/expand.ts";
import type { Config, ServerConfig } from "./config/config.ts";
import { refuseOwnFiles } from "./config/own-files.ts";
import { sourceText } from "./config/source-text.ts";
import type { VolumePlace } from "./config/volume.ts";
import type { Wanted } from "./fleet.ts";
import { lockPath } from "./image/lock.ts";
import { secretVersion } from "./secrets/index-file.ts";
import { storeNames } from "./secrets/store-names.ts";

/** Where the config is used. */
export interface WantedPlace {
  /** The state directory. */
  readonly home: string;
  /** What host paths of the config are read against. */
  readonly place: VolumePlace;
  /** Gets a line for each thing that is not as the config or a catalog says. */
  readonly note: (line: string) => void;
}

/** The servers of the config. One that cannot be used has a fault; never rejects. */
export async function wantedServers(
  { path, servers, catalogs: places, signed }: Config,
  { home, place, note }: WantedPlace,
): Promise<readonly Wanted[]> {
  const catalogs = openCatalogs({ home, places, note });
  const own = [path, lockPath(path), ...places.filter((one) => !one.startsWith("https://"))];
  return await Promise.all(servers.map(async (written): Promise<Wanted> => {
    try {
      const expanded = await expandServer(written, catalogs, { file: path, volumes: place, note });
      await refuseOwnFiles(expanded, own);
      const config = expanded === written
        ? written
        : { ...expanded, catalog: sourceText(written.source) };
      const isImage = config.source.kind === "image" || config.source.kind === "commands";
      const versions = await secretVersions(home, config);
      // What must be signed from now on is not to run on unsigned.
      const surroundings = JSON.stringify([versions, isImage ? signed : []]);
      return { config, written, surroundings };
    } catch (thrown) {
      // One entry that cannot be used is no reason to start none of the others.
      return { config: written, written, surroundings: "", fault: toGatewayError(thrown) };
    }
  }));
}

/** Others when one of the server's secrets in the store has been set anew. */
async function secretVersions(
  home: string,
  config: ServerConfig,
): Promise<readonly (string | undefined)[]> {
  return await Promise.all(storeNames(config).map((name) => secretVersion(home, name)));
}
