/**
 * What a container may do: the settings that hold a server that nobody trusts. Called by create.ts.
 * Every setting is here on purpose; test/docker/hardening.test.ts proves them from inside a container.
 *
 * @module
 */
import type Docker from "dockerode";
import { FULL_ISOLATION, type Isolation } from "../config/isolation.ts";
import type { Limits } from "../config/limits.ts";
import { SECRETS_PATH } from "./shim.ts";

/** User and group of servers whose image would run as root. No account of the machine has this number. */
export const NOBODY = "65532:65532";

/** A file or folder of this machine, checked by bind.ts, or a volume of the engine. */
export interface Mount {
  readonly type: "bind" | "volume";
  /** Path on this machine, or name of the volume. */
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
  /** What it is let off; nothing unless given. */
  readonly isolation?: Isolation | undefined;
  /** The network that it is in; none unless given. */
  readonly network?: { readonly name: string; readonly dns: readonly string[] } | undefined;
  /** Whether the shim writes files with secrets. */
  readonly secretFiles?: boolean;
}

/** Size of each writable folder in memory; it counts towards the memory limit. */
const SCRATCH = "rw,noexec,nosuid,nodev,size=64m,mode=1777";

/** `/tmp` of a server that may run programs there. */
const EXEC_SCRATCH = SCRATCH.replace("noexec", "exec");

/** Where the shim writes files with secrets: open to every user, as the shim runs as the server's. */
const SECRETS = SCRATCH.replace("size=64m", "size=2m");

/** HostConfig of the Docker API for one server. */
export function hostConfig(confinement: Confinement): Docker.HostConfig & {
  /** Missing in the types of dockerode. */
  CgroupnsMode: "private";
} {
  const { limits, mounts, imageVolumes, network, secretFiles } = confinement;
  const { writable, execTmp, caps, runtime, gpus } = confinement.isolation ?? FULL_ISOLATION;
  const mounted = new Set(mounts.map(({ target }) => target));
  // A volume of the image would be a writable folder on the machine's disk without a limit.
  const scratch = ["/tmp", ...imageVolumes].filter((path) => !mounted.has(path));
  return {
    NetworkMode: network?.name ?? "none",
    ...(network !== undefined && { Dns: [...network.dns] }),
    ReadonlyRootfs: !writable,
    CapDrop: ["ALL"],
    ...(caps.length > 0 && { CapAdd: [...caps] }),
    // Seccomp stays at the engine's default profile, which naming it here would replace.
    SecurityOpt: ["no-new-privileges:true"],
    // A real init: servers that ignore SIGTERM as process 1 die of it, and orphans are reaped.
    Init: true,
    PidsLimit: limits.pids,
    Memory: limits.memoryBytes,
    // Equal to Memory: no swap.
    MemorySwap: limits.memoryBytes,
    ...processorTime(limits.cpuCores),
    ShmSize: 16 * 1024 * 1024,
    Tmpfs: {
      ...Object.fromEntries(
        scratch.map((path) => [path, execTmp && path === "/tmp" ? EXEC_SCRATCH : SCRATCH]),
      ),
      ...(secretFiles === true && { [SECRETS_PATH]: SECRETS }),
    },
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
    Mounts: mounts.map(({ type, source, target, readOnly }) => ({
      Type: type,
      Source: source,
      Target: target,
      ReadOnly: readOnly,
      // A new volume begins with what the image has at its path, and with the owners of that.
      ...(type === "bind" ? { BindOptions: { Propagation: "rprivate" } } : {
        VolumeOptions: { NoCopy: false, Labels: {}, DriverConfig: { Name: "", Options: {} } },
      }),
    })),
    ...(runtime !== undefined && { Runtime: runtime }),
    ...(gpus !== undefined && {
      DeviceRequests: [{
        Driver: "nvidia",
        Count: gpus === "all" ? -1 : gpus,
        Capabilities: [["gpu"]],
      }],
    }),
  };
}

/** Whether a user is root by its number or its name; an image that names none means root. */
export function isRoot(user: string): boolean {
  return user === "" || user === "root" || Number(user) === 0;
}

/** The least that the kernel gives in one turn, in microseconds. */
const MIN_QUOTA_US = 1_000;

/**
 * In short turns: with the usual ones of 100 ms a server may hold all processors for half of each, and
 * everything else waits. When processors are short, containers that are no servers of ours go first.
 */
function processorTime(cores: number) {
  const short = 10_000;
  const period = cores * short < MIN_QUOTA_US ? 100_000 : short;
  return { CpuPeriod: period, CpuQuota: Math.round(cores * period), CpuShares: 256 };
}
