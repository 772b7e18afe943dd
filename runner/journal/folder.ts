/**
 * The folder of the call log. Each process writes a file of its own, so that no two can mix their lines; one
 * that has ended leaves its file to the next. Full files are kept under the time at which they were full.
 *
 *     journal/<owner>.jsonl                 written by a runner that lives
 *     journal/calls-<time>-<mark>.jsonl     full
 *
 * @module
 */
import { randomBytes } from "node:crypto";
import { mkdir, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";

/** What names of the files end in. */
const SUFFIX = ".jsonl";

const FULL = /^calls-\d{8}T\d{9}Z-[0-9a-f]{8}\.jsonl$/;
const OWNED = /^([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\.jsonl$/;

/** The folder of the call log in the state directory `home`. */
export function journalFolder(home: string): string {
  return join(home, "journal");
}

/** The files of the call log by their names, full and written; empty where there is no such folder. */
export async function journalFiles(folder: string): Promise<readonly string[]> {
  try {
    return (await readdir(folder)).filter((name) => FULL.test(name) || OWNED.test(name));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}

/**
 * Makes the folder if it is missing, and takes over the file of a runner that has ended; those of further
 * ones count as full.
 *
 * @returns Path of the file to write, which may not exist yet.
 */
export async function claimFile(
  folder: string,
  owner: string,
  { isAlive, now }: {
    readonly isAlive: (owner: string) => Promise<boolean>;
    readonly now: number;
  },
): Promise<string> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const own = join(folder, owner + SUFFIX);
  let taken = false;
  for (const name of await journalFiles(folder)) {
    const [, other] = OWNED.exec(name) ?? [];
    if (other === undefined || other === owner || await isAlive(other)) continue;
    // Another runner that starts now may be faster: then it is gone from under this name.
    const moved = await moves(join(folder, name), taken ? fullPath(folder, now) : own);
    taken ||= moved;
  }
  return own;
}

/** Puts a file that is full aside, and removes the oldest of those above `keep`. */
export async function putAside(
  path: string,
  { folder, now, keep }: { readonly folder: string; readonly now: number; readonly keep: number },
): Promise<void> {
  await rename(path, fullPath(folder, now));
  const full = (await journalFiles(folder)).filter((name) => FULL.test(name)).toSorted();
  for (const name of full.slice(0, Math.max(0, full.length - keep))) {
    await rm(join(folder, name), { force: true });
  }
}

function fullPath(folder: string, now: number): string {
  const time = new Date(now).toISOString().replaceAll(/[-:.]/g, "");
  return join(folder, `calls-${time}-${randomBytes(4).toString("hex")}${SUFFIX}`);
}

async function moves(from: string, to: string): Promise<boolean> {
  try {
    await rename(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return false;
    throw error;
  }
}
