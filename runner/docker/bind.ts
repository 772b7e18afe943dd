/**
 * Which paths of this machine a server may see. A server is not trusted: some paths hand it the engine
 * (and with it the machine), the user's keys, or the system. Called by create.ts for each volume.
 *
 *     path as configured → dangerOf?  → resolved through symlinks → dangerOf? socket? device? → mount
 *
 * @module
 */
import type { Stats } from "node:fs";
import { lstat, realpath } from "node:fs/promises";
import { posix, win32 } from "node:path";
import { GatewayError } from "../../src/errors.ts";
import { stateDirectory } from "../../src/state-path.ts";
import { userHome } from "../local/user-home.ts";
import { isWithin, sharedFolders } from "./shared-folders.ts";

/** What the rules depend on; tests pass their own. */
export interface BindMachine {
  readonly platform: string;
  /** The user's home folder. */
  readonly home: string;
  /** Files and folders of the engine and of this program. */
  readonly ours: readonly string[];
  /** The only folders that the engine has at the same path, if this program is in a container. */
  readonly shared?: readonly string[] | undefined;
}

/** Folders of the system. `/root` is not here: it is guarded as the home folder of whom it belongs to. */
const SYSTEM = [
  "/etc",
  "/proc",
  "/sys",
  "/dev",
  "/boot",
  "/run",
  "/var/run",
  "/var/lib/docker",
  "/var/lib/containerd",
  "/var/lib/kubelet",
  "/private/etc",
  "/private/var/run",
];

/** Folders and files below the home folder that hold keys, tokens, or what a login shell runs. */
const PRIVATE = [
  ".ssh",
  ".aws",
  ".azure",
  ".docker",
  ".gnupg",
  ".kube",
  ".netrc",
  ".npmrc",
  ".pypirc",
  ".git-credentials",
  ".password-store",
  ".bashrc",
  ".profile",
  ".zshrc",
  ".config/gcloud",
  ".config/gh",
  ".config/systemd",
  ".config/autostart",
  ".local/share/keyrings",
  ".local/state/mcp-runner",
  "Library/Keychains",
  "Library/Application Support/mcp-runner",
  "Library/LaunchAgents",
  "AppData",
];

/**
 * Why `path` may not be mounted, or `undefined` if it may: it is, is inside, or holds something that no
 * server may see. Works on the text alone; the caller resolves symlinks.
 *
 * @returns The guarded path, for the message.
 */
export function dangerOf(path: string, { platform, home, ours }: BindMachine): string | undefined {
  const { normalize, join, parse, sep } = platform === "win32" ? win32 : posix;
  // File names differ by case alone on neither macOS nor Windows, as they are shipped.
  const fold = (text: string) => {
    const plain = normalize(text);
    const bare = plain.length > 1 && plain.endsWith(sep) ? plain.slice(0, -1) : plain;
    return platform === "linux" ? bare : bare.toLowerCase();
  };
  const holds = (outer: string, inner: string) =>
    outer === inner || inner.startsWith(outer.endsWith(sep) ? outer : outer + sep);

  const mounted = fold(path);
  if (mounted === fold(parse(normalize(path)).root)) return path;
  const guarded = [...SYSTEM, ...PRIVATE.map((name) => join(home, name)), ...ours];
  return guarded.find((name) => holds(mounted, fold(name)) || holds(fold(name), mounted));
}

/** A path that may be mounted. */
export interface CheckedBind {
  /** To be mounted in place of the configured path, so that no symlink is followed later. */
  readonly real: string;
  readonly stats: Stats;
}

/**
 * Looks at `hostPath` on the disk.
 *
 * @throws {GatewayError} `config_invalid` when it does not exist or may not be mounted.
 */
export async function checkBind(hostPath: string, machine: BindMachine): Promise<CheckedBind> {
  refuseDanger(hostPath, hostPath, machine);
  refuseUnseen(hostPath, hostPath, machine);
  let real: string;
  let stats: Stats;
  try {
    real = await realpath(hostPath);
    stats = await lstat(real);
  } catch (cause) {
    throw new GatewayError(
      "config_invalid",
      `Cannot mount "${hostPath}": there is no such file or folder, make it or correct the volume`,
      { cause },
    );
  }
  refuseDanger(hostPath, real, {
    ...machine,
    home: await resolved(machine.home),
    ours: await Promise.all(machine.ours.map(resolved)),
  });
  refuseUnseen(hostPath, real, machine);
  if (!stats.isFile() && !stats.isDirectory()) {
    throw new GatewayError(
      "config_invalid",
      `Cannot mount "${hostPath}": it is a socket, a pipe or a device, mount a file or a folder`,
    );
  }
  return { real, stats };
}

/**
 * Whether a server that runs as `user` can use the path by its permission bits. Elsewhere than on Linux
 * the engine translates owners, so only Linux is asked.
 *
 * @param user Numbers of user and group, as `65532:65532`.
 */
export function canUse({ stats }: CheckedBind, user: string, readOnly: boolean): boolean {
  const [uid, gid] = user.split(":").map(Number);
  const shift = stats.uid === uid ? 6 : stats.gid === gid ? 3 : 0;
  const needed = (readOnly ? 0o4 : 0o6) | (stats.isDirectory() ? 0o1 : 0);
  return ((stats.mode >> shift) & needed) === needed;
}

/**
 * The machine that this program runs on, with what it must keep to itself.
 *
 * @param engineSocket Path of the engine's socket, where it is known.
 */
export function thisMachine(engineSocket?: string): BindMachine {
  const state = stateDirectory(process.env, process.platform);
  return {
    platform: process.platform,
    home: userHome(),
    ours: [engineSocket, state].filter((path) => path !== undefined),
    shared: sharedFolders(),
  };
}

function refuseDanger(configured: string, path: string, machine: BindMachine): void {
  const danger = dangerOf(path, machine);
  if (danger === undefined) return;
  const what = danger === configured ? "it" : `"${danger}"`;
  throw new GatewayError(
    "config_invalid",
    `Cannot mount "${configured}": ${what} would be open to the server, mount a folder of its own instead`,
  );
}

/** What cannot be looked at cannot be checked, and the engine would mount something else. */
function refuseUnseen(configured: string, path: string, { shared }: BindMachine): void {
  if (shared === undefined || isWithin(path, shared)) return;
  throw new GatewayError(
    "config_invalid",
    `Cannot mount "${configured}": this runner is in a container and does not see that path of the machine, mount it into the runner at the same path, or use a volume such as data:/data`,
  );
}

async function resolved(path: string): Promise<string> {
  // What does not exist cannot be reached through a link either.
  return await realpath(path).catch(() => path);
}
