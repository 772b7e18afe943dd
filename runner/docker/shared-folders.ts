/**
 * Which folders of this program are the engine's too. A runner in a container has a file system of its own:
 * what it checks at a path is not what the engine mounts from there, unless somebody has mounted that path
 * of the machine at the same place. Called by bind.ts.
 *
 *     MCP_RUNNER_ENGINE_PATHS=mounted → /proc/self/mountinfo → mounted from the same path? shared
 *
 * @module
 */
import { readFileSync } from "node:fs";

/** File systems of the kernel and of the container itself, of which the engine's machine has others. */
const OWN = /^(?:overlay|aufs|tmpfs|ramfs|proc|sysfs|devpts|devtmpfs|mqueue|cgroup2?|nsfs)$/;

/**
 * The folders, or `undefined` if this program sees the paths of the machine as they are.
 *
 * @param env `MCP_RUNNER_ENGINE_PATHS` is `mounted` in the container image.
 */
export function sharedFolders(env: NodeJS.ProcessEnv = process.env): readonly string[] | undefined {
  if (env["MCP_RUNNER_ENGINE_PATHS"] !== "mounted") return undefined;
  return foldersOf(readFileSync("/proc/self/mountinfo", "utf8"));
}

/** The folders that `mountinfo` (proc_pid_mountinfo(5)) says are mounted from their own path. */
export function foldersOf(mountinfo: string): readonly string[] {
  return mountinfo.split("\n").flatMap((line) => {
    const [mount = "", rest = ""] = line.split(" - ");
    const [root = "", point = ""] = mount.split(" ").slice(3).map(unescaped);
    const [kind = ""] = rest.split(" ");
    if (!root.startsWith("/") || !point.startsWith("/") || point === "/") return [];
    // A path of a disk that is mounted below the root, or of a part of one, is only the end of the other.
    const same = root === "/" ? !OWN.test(kind) : root.endsWith(point) || point.endsWith(root);
    return same ? [point] : [];
  });
}

/** Whether `path` is one of `folders`, or in one. */
export function isWithin(path: string, folders: readonly string[]): boolean {
  return folders.some((folder) => path === folder || path.startsWith(`${folder}/`));
}

/** The kernel writes space, tab, newline and backslash in octal. */
function unescaped(field: string): string {
  return field.replace(
    /\\([0-7]{3})/g,
    (_, code: string) => String.fromCharCode(Number.parseInt(code, 8)),
  );
}
