/**
 * What the runner of a machine has in the engine, seen from outside.
 *
 * @module
 */
import { readdir } from "node:fs/promises";
import type { Engine } from "../../runner/docker/engine.ts";
import { OWNER_LABEL } from "../../runner/docker/label.ts";
import type { Machine } from "./runner.ts";

/** Ids of the runners that live on a machine, or were killed there: the names of their sockets. */
export async function ownersOf({ home }: Machine): Promise<readonly string[]> {
  const names = await readdir(home).catch(() => []);
  return names.filter((name) => name.endsWith(".sock")).map((name) => name.slice(0, -5));
}

/** What belongs to an owner. Names, sorted. */
export interface Belongings {
  readonly containers: readonly string[];
  readonly networks: readonly string[];
  /** Anonymous volumes of its containers. */
  readonly volumes: readonly string[];
  /** Folders in memory with secrets. */
  readonly folders: readonly string[];
}

/** Nothing at all. */
export const NOTHING: Belongings = { containers: [], networks: [], volumes: [], folders: [] };

/** All that belongs to `owner`, and those of the volumes `known` before that are still there. */
export async function belongingsOf(
  { docker }: Engine,
  owner: string,
  known: readonly string[] = [],
): Promise<Belongings> {
  const filters = { label: [`${OWNER_LABEL}=${owner}`] };
  const containers = await docker.listContainers({ all: true, filters });
  const networks = await docker.listNetworks({ filters });
  const { Volumes } = await docker.listVolumes();
  const mounted = containers.flatMap(({ Mounts }) =>
    Mounts.flatMap(({ Name }) => Name === undefined ? [] : [Name])
  );
  const wanted = new Set([...mounted, ...known]);
  const folders = process.platform === "linux" ? await readdir("/dev/shm") : [];
  return {
    containers: containers.map(({ Id }) => Id).toSorted(),
    networks: networks.map(({ Name }) => Name).toSorted(),
    volumes: Volumes.map(({ Name }) => Name).filter((name) => wanted.has(name)).toSorted(),
    folders: folders.filter((name) => name.includes(owner)).toSorted(),
  };
}
