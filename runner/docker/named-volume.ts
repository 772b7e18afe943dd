/**
 * Volumes of the engine that servers keep what they write in, over restarts. Called by create.ts.
 *
 *     mcp-runner-<server>-<volume>, with VOLUME_LABEL → made if missing → its root given to the server's user
 *
 * A new volume gets the owner of its path in the image, or root where the image has no such path, and a
 * server that is not root could not write to it. The engine's archive endpoint changes that owner through
 * a container that is never started: no process runs for it, neither as root nor otherwise. What belongs to
 * anybody but root is left as it is.
 *
 * @module
 */
import * as v from "valibot";
import { GatewayError } from "../../src/errors.ts";
import type { NamedVolume } from "../config/volume.ts";
import { ownFolder, readEntry } from "./archive.ts";
import { isRefusal, QUICK_MS, withDeadline } from "./deadline.ts";
import { dial } from "./dial.ts";
import type { Engine } from "./engine.ts";
import type { Mount } from "./host-config.ts";
import { withIdleContainer } from "./image-traits.ts";
import type { ImageFacts } from "./inspect.ts";
import { SERVER_LABEL, VOLUME_LABEL } from "./label.ts";
import type { ContainerUser } from "./user.ts";

/** The server that volumes are for. */
export interface VolumeUser {
  readonly image: ImageFacts;
  readonly user: ContainerUser;
  /** Of its container; SERVER_LABEL tells its name. */
  readonly labels: Readonly<Record<string, string>>;
}

/** Volumes that are ready. */
export interface ReadyVolumes {
  readonly mounts: readonly Mount[];
  readonly warnings: readonly string[];
}

const volumeAnswer = v.object({
  Name: v.string(),
  Labels: v.nullish(v.record(v.string(), v.string()), {}),
  CreatedAt: v.optional(v.string(), ""),
});

/** Enough of an archive for the header of its first entry. */
const HEADER_BYTES = 8 * 1024;

/** Volumes whose owner was seen to be right, by what cannot be the same of two. */
const seen = new Set<string>();

/**
 * Makes what is missing of `volumes`, for the server of `user`.
 *
 * @throws {GatewayError} `config_invalid` when a volume of that name is not this server's.
 */
export async function readyVolumes(
  engine: Engine,
  volumes: readonly NamedVolume[],
  user: VolumeUser,
): Promise<ReadyVolumes> {
  const server = user.labels[SERVER_LABEL];
  if (volumes.length > 0 && server === undefined) throw new TypeError("The server has no name");
  const mounts: Mount[] = [];
  const warnings: string[] = [];
  for (const { volume, containerPath, readOnly } of volumes) {
    const name = `mcp-runner-${server}-${volume}`;
    const { CreatedAt } = await findOrMake(engine, name, `${server}/${volume}`);
    mounts.push({ type: "volume", source: name, target: containerPath, readOnly });
    const key = [engine.endpoint, name, CreatedAt, containerPath, user.user.uid].join(" ");
    if (readOnly || user.user.uid === 0 || seen.has(key)) continue;
    const owner = await giveTo(engine, { name, path: containerPath }, user);
    if (owner === undefined) seen.add(key);
    else {
      warnings.push(
        `Volume "${volume}" belongs to user ${owner} and the server runs as ${user.user.uid}: it can perhaps not write to it, set user: "${owner}" or remove the volume with "docker volume rm ${name}"`,
      );
    }
  }
  return { mounts, warnings };
}

async function findOrMake(engine: Engine, name: string, owner: string) {
  const volume = await inspect(engine, name) ?? await make(engine, name, owner);
  if (volume.Labels[VOLUME_LABEL] === owner) return volume;
  throw new GatewayError(
    "config_invalid",
    `Cannot use volume "${name}": it was not made for this server, give the volume another name`,
  );
}

async function inspect(engine: Engine, name: string) {
  const path = `/volumes/${encodeURIComponent(name)}`;
  try {
    return v.parse(
      volumeAnswer,
      await withDeadline(
        "look at a volume",
        QUICK_MS,
        (abortSignal) => dial(engine.docker, { method: "GET", path, abortSignal }),
      ),
    );
  } catch (error) {
    if (isRefusal(error, 404)) return undefined;
    throw error;
  }
}

async function make(engine: Engine, name: string, owner: string) {
  const body = { Name: name, Driver: "local", Labels: { [VOLUME_LABEL]: owner } };
  return v.parse(
    volumeAnswer,
    // Of two runners that make it at once, the second gets the first one's.
    await withDeadline(
      "make a volume",
      QUICK_MS,
      (abortSignal) =>
        dial(engine.docker, { method: "POST", path: "/volumes/create", body, abortSignal }),
    ),
  );
}

/** Gives the root of a volume to the user of its server, unless it has an owner. Returns that owner. */
async function giveTo(
  engine: Engine,
  volume: { readonly name: string; readonly path: string },
  { image, labels, user }: VolumeUser,
): Promise<number | undefined> {
  return await withIdleContainer(engine, { image, labels, volume }, async (containerId) => {
    const place = { containerId, path: volume.path };
    const root = await readEntry(engine, place, HEADER_BYTES);
    if (root === undefined || root.uid === user.uid) return undefined;
    if ((root.mode & 0o002) !== 0 || (root.gid === user.gid && (root.mode & 0o020) !== 0)) {
      return undefined;
    }
    if (root.uid !== 0) return root.uid;
    await ownFolder(engine, place, user);
    return undefined;
  });
}
