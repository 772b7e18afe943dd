/**
 * A file system made of programs of this machine, the libraries they need, and a shell. Linux with glibc
 * only. Called by local-node.ts and local-python.ts.
 *
 *     ldd → libraries → a temporary folder of links to them → one tar stream of what they lead to
 *
 * @module
 */
import { execFile } from "node:child_process";
import { mkdir, realpath, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { Readable } from "node:stream";
import { promisify } from "node:util";
import { type Headers, pack } from "tar-fs";
import { normalized } from "./tar.ts";
import { temporaryFolder } from "./temporary-folder.ts";

/** A file or folder of this machine and its place in the image. */
interface Part {
  readonly from: string;
  readonly to: string;
}

/** What goes into the image. */
export interface LocalFiles {
  /** Executables, which come with their libraries. */
  readonly programs: readonly Part[];
  /** Shared libraries that nothing names, which come with those that they need. */
  readonly libraries?: readonly string[];
  /** Files and folders that come as they are. */
  readonly others?: readonly Part[];
  /** Whether what is at this path stays out. */
  readonly ignore?: (path: string) => boolean;
  /** Attributes of the files, unless they are to be those of all our images. */
  readonly map?: (header: Headers) => Headers;
}

/** Shells to take along, best first. */
const SHELLS = ["/bin/dash", "/bin/sh"];

/** Files that programs ask for who they are and how names are looked up. */
const ETC: Readonly<Record<string, string>> = {
  "etc/passwd": "node:x:65532:65532::/tmp:/bin/sh\n",
  "etc/group": "node:x:65532:\n",
  "etc/nsswitch.conf": "hosts: files dns\n",
};

/**
 * Runs `use` with a tar stream of the file system.
 *
 * @throws {Error} when a file cannot be found or read.
 */
export async function withLocalFiles<T>(
  files: LocalFiles,
  use: (tar: Readable) => Promise<T>,
): Promise<T> {
  const parts = await collect(files);
  return await temporaryFolder("mcp-runner-base-", async (skeleton) => {
    const folders = ["tmp", "etc", ...parts.map(({ to }) => dirname(to))];
    await Promise.all(folders.map((path) => mkdir(join(skeleton, path), { recursive: true })));
    for (const [path, text] of Object.entries(ETC)) await writeFile(join(skeleton, path), text);
    for (const { from, to } of parts) await symlink(from, join(skeleton, to));
    // The links spare a copy of some 130 MB; what goes into the image is what they lead to.
    const { map = normalized, ignore = () => false } = files;
    const options = { sort: true, dereference: true, map, ignore };
    return await use(Readable.from(pack(skeleton, options)));
  });
}

async function collect(files: LocalFiles): Promise<readonly Part[]> {
  const shell = await firstReal(SHELLS);
  const programs = [
    ...files.programs,
    ...(shell === undefined ? [] : [{ from: shell, to: "/bin/sh" }]),
  ];
  const needed = await Promise.all(programs.map(({ from }) => libraries([from])));
  const more = files.libraries ?? [];
  const paths = [...needed.flat(), ...more, ...(more.length > 0 ? await libraries(more) : [])];
  const others = files.others ?? [];
  const within = (path: string) => others.some(({ to }) => path.startsWith(`${to}/`));
  return [
    ...programs,
    ...[...new Set(paths)].filter((path) => !within(path)).toSorted()
      .map((path) => ({ from: path, to: path })),
    ...others,
  ];
}

/** Absolute paths of the shared libraries of programs, their loader included. */
async function libraries(programs: readonly string[]): Promise<string[]> {
  try {
    const { stdout } = await promisify(execFile)("ldd", [...programs], { timeout: 30_000 });
    // "libm.so.6 => /lib/libm.so.6 (0x…)" or "/lib64/ld-linux-x86-64.so.2 (0x…)"
    return [...stdout.matchAll(/(?:=>|^)\s+(\/\S+)/gm)].map(([, path = ""]) => path);
  } catch (error) {
    // ldd says of a static program that it is "not a dynamic executable", and fails.
    if (/not a dynamic/.test(String(error))) return [];
    throw error;
  }
}

/** The first of these files that there is, without links. */
export async function firstReal(paths: readonly string[]): Promise<string | undefined> {
  for (const path of paths) {
    try {
      return await realpath(path);
    } catch {
      // Not on this machine; the next one may be.
    }
  }
  return undefined;
}
