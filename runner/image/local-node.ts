/**
 * A file system with nothing but the Node program that runs this code, the libraries it needs, and a
 * shell: the base of servers where no registry can be reached. Linux with glibc only. Called by
 * base-image.ts.
 *
 *     ldd → libraries → a temporary folder of links to them → one tar stream of what they lead to
 *
 * @module
 */
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, realpath, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { Readable } from "node:stream";
import { promisify } from "node:util";
import { pack } from "tar-fs";
import { normalized } from "./tar.ts";

/** Where the program is in the image. */
export const NODE_PATH = "/usr/bin/node";

/** Shells to take along, best first. */
const SHELLS = ["/bin/dash", "/bin/sh"];

/** A file of this machine and its place in the image. */
interface Part {
  readonly from: string;
  readonly to: string;
}

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
export async function withLocalNode<T>(use: (tar: Readable) => Promise<T>): Promise<T> {
  const parts = await collect();
  const skeleton = await mkdtemp(join(tmpdir(), "mcp-runner-base-"));
  try {
    const folders = ["tmp", "etc", ...parts.map(({ to }) => dirname(to))];
    await Promise.all(folders.map((path) => mkdir(join(skeleton, path), { recursive: true })));
    for (const [path, text] of Object.entries(ETC)) await writeFile(join(skeleton, path), text);
    for (const { from, to } of parts) await symlink(from, join(skeleton, to));
    // The links spare a copy of some 130 MB; what goes into the image is what they lead to.
    const files = { sort: true, dereference: true, map: normalized };
    return await use(Readable.from(pack(skeleton, files)));
  } finally {
    await rm(skeleton, { recursive: true, force: true });
  }
}

async function collect(): Promise<readonly Part[]> {
  const shell = await firstReal(SHELLS);
  const programs = [
    { from: await realpath(process.execPath), to: NODE_PATH },
    ...(shell === undefined ? [] : [{ from: shell, to: "/bin/sh" }]),
  ];
  const needed = await Promise.all(programs.map(({ from }) => libraries(from)));
  const paths = [...new Set(needed.flat())].toSorted();
  return [...programs, ...paths.map((path) => ({ from: path, to: path }))];
}

/** Absolute paths of the shared libraries of a program, its loader included. */
async function libraries(program: string): Promise<string[]> {
  try {
    const { stdout } = await promisify(execFile)("ldd", [program], { timeout: 10_000 });
    // "libm.so.6 => /lib/libm.so.6 (0x…)" or "/lib64/ld-linux-x86-64.so.2 (0x…)"
    return [...stdout.matchAll(/(?:=>|^)\s+(\/\S+)/gm)].map(([, path = ""]) => path);
  } catch (error) {
    // ldd says of a static program that it is "not a dynamic executable", and fails.
    if (program !== process.execPath && /not a dynamic/.test(String(error))) return [];
    throw error;
  }
}

async function firstReal(paths: readonly string[]): Promise<string | undefined> {
  for (const path of paths) {
    try {
      return await realpath(path);
    } catch {
      // Not on this machine; the next one may be.
    }
  }
  return undefined;
}
