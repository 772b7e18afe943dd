/**
 * What a container may do: the settings that hold a server that nobody trusts. Called by create.ts.
 * Every setting is here on purpose; test/docker/hardening.test.ts proves them from inside a container.
 *
 * @module
 */
import type Docker from "dockerode";
import type { Limits } from "../config/limits.ts";

/** User and group of servers whose image would run as root. No account of the machine has this number. */
export const NOBODY = "65532:65532";

/** A file or folder of this machine, checked by bind.ts. */
export interface Mount {
  readonly source: string;
  readonly target: string;
  readonly readOnly: boolean;
}

/** What differs between containers. */
export interface Confinement {
  readonly limits: Limits;
  readonly mounts: readonly Mount[];
  /** Paths that the image declares as volumes. */
  readonly imageVolumes: readonly string[];
}

/** Size of each writable folder in memory; it counts towards the memory limit. */
const SCRATCH = "rw,noexec,nosuid,nodev,size=64m,mode=1777";

/** HostConfig of the Docker API for one server. */
export function hostConfig({ limits, mounts, imageVolumes }: Confinement): Docker.HostConfig & {
  /** Missing in the types of dockerode. */
  CgroupnsMode: "private";
} {
  const mounted = new Set(mounts.map(({ target }) => target));
  // A volume of the image would be a writable folder on the machine's disk without a limit.
  const scratch = ["/tmp", ...imageVolumes].filter((path) => !mounted.has(path));
  return {
    NetworkMode: "none",
    ReadonlyRootfs: true,
    CapDrop: ["ALL"],
    // Seccomp stays at the engine's default profile, which naming it here would replace.
    SecurityOpt: ["no-new-privileges:true"],
    // A real init: servers that ignore SIGTERM as process 1 die of it, and orphans are reaped.
    Init: true,
    PidsLimit: limits.pids,
    Memory: limits.memoryBytes,
    // Equal to Memory: no swap.
    MemorySwap: limits.memoryBytes,
    NanoCpus: Math.round(limits.cpuCores * 1e9),
    ShmSize: 16 * 1024 * 1024,
    Tmpfs: Object.fromEntries(scratch.map((path) => [path, SCRATCH])),
    IpcMode: "private",
    CgroupnsMode: "private",
    // When the machine runs out of memory, servers go before the user's programs.
    OomScoreAdj: 500,
    Ulimits: [
      { Name: "nofile", Soft: 1024, Hard: 4096 },
      { Name: "core", Soft: 0, Hard: 0 },
    ],
    // Standard output is the user's data; the engine would write it to the disk.
    LogConfig: { Type: "none", Config: {} },
    RestartPolicy: { Name: "no" },
    // A runner that is killed leaves nothing: its servers see the end of stdin, exit, and are removed.
    AutoRemove: true,
    Mounts: mounts.map(({ source, target, readOnly }) => ({
      Type: "bind",
      Source: source,
      Target: target,
      ReadOnly: readOnly,
      BindOptions: { Propagation: "rprivate" },
    })),
  };
}

/**
 * User that a server runs as: the image's own, unless that is root.
 *
 * @param imageUser `User` of the image's config: name or number, with or without a group; empty is root.
 */
export function containerUser(imageUser: string): string {
  const [user = ""] = imageUser.split(":");
  const root = user === "" || user === "root" || Number(user) === 0;
  return root ? NOBODY : imageUser;
}
