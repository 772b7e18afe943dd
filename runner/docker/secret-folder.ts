/**
 * Secrets as files of this machine, for servers whose image has no shell to take them from its input.
 * Called by hand-over.ts, and by reaper.ts for what killed runners left.
 *
 *     /dev/shm/mcp-runner-<owner>-<random>   0700: no other user of the machine gets in
 *         files/                             0755: what is mounted; the engine itself opens it
 *             NAME                           0444: whoever the server runs as can read it
 *
 * So it does not matter who the runner is and who the server is: nothing needs to change its owner. On Linux
 * the folder is in memory. Elsewhere no such folder is known, and it is in that of temporary files.
 *
 * @module
 */
import { chmod, lstat, mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Files with secrets, for as long as a container runs. */
export interface SecretFolder {
  /** To be mounted. */
  readonly path: string;
  /** Removes it; may be called again. */
  release(): Promise<void>;
}

const PREFIX = "mcp-runner-";
const OWNED = /^mcp-runner-([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})-[A-Za-z0-9]{6}$/;

/** Writes `files`, by name, for a container of `owner`. */
export async function makeSecretFolder(
  owner: string,
  files: ReadonlyMap<string, string>,
  place?: string,
): Promise<SecretFolder> {
  // mkdtemp: mode 0700, and a name that nobody can have taken before.
  const outer = await mkdtemp(join(place ?? await memoryFolder(), `${PREFIX}${owner}-`));
  const release = () => rm(outer, { recursive: true, force: true });
  try {
    const path = join(outer, "files");
    await mkdir(path);
    for (const [name, value] of files) {
      await writeFile(join(path, name), value);
      await chmod(join(path, name), 0o444);
    }
    // The mode that mkdir() and writeFile() take is cut by the umask.
    await chmod(path, 0o755);
    return { path, release };
  } catch (error) {
    await release();
    throw error;
  }
}

/**
 * Removes the folders of runners that live no more; only those that this user made.
 *
 * @returns How many were removed.
 */
export async function reapSecretFolders(
  isAlive: (owner: string) => Promise<boolean>,
  place?: string,
): Promise<number> {
  const folder = place ?? await memoryFolder();
  const names = await readdir(folder).catch(() => []);
  let count = 0;
  for (const name of names) {
    const owner = OWNED.exec(name)?.[1];
    if (owner === undefined) continue;
    const path = join(folder, name);
    // Everybody may make files there: a link, or the folder of another user, is not ours to follow.
    const facts = await lstat(path).catch(() => undefined);
    if (facts?.isDirectory() !== true || facts.uid !== (process.getuid?.() ?? facts.uid)) continue;
    if (await isAlive(owner)) continue;
    await rm(path, { recursive: true, force: true });
    count++;
  }
  return count;
}

async function memoryFolder(): Promise<string> {
  if (process.platform !== "linux") return tmpdir();
  const facts = await lstat("/dev/shm").catch(() => undefined);
  return facts?.isDirectory() === true ? "/dev/shm" : tmpdir();
}
