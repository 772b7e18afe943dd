/**
 * Tells when a file has changed, however it was: written in place, replaced by another, by a symlink, or
 * removed. The folders are watched, since an editor that renames leaves a watched file behind; where the
 * system tells nothing of changes (mounts of other machines), a look every two seconds does.
 *
 * @module
 */
import { type FSWatcher, watch } from "node:fs";
import { realpath, stat } from "node:fs/promises";
import { dirname } from "node:path";
import type { Clock } from "../../src/clock.ts";

/** Milliseconds of rest after which a change is told: editors write in several steps. */
export const SETTLE_MS = 100;

/** Milliseconds after which a file that is never at rest is taken as it is. */
export const RESTLESS_MS = 2_000;

/** Milliseconds between two looks. */
export const LOOK_MS = 2_000;

/** What is watched. */
export interface FileWatchOptions {
  /** Absolute paths; need not exist. */
  readonly paths: readonly string[];
  readonly clock: Clock;
  readonly changed: () => void;
}

/** Watches until the returned function is called. */
export async function watchFiles({ paths, clock, changed }: FileWatchOptions): Promise<() => void> {
  const watchers = new Map<string, FSWatcher>();
  let stopped = false;
  let seen = await signatures(paths);
  /** When the first change was noticed that has not been told. */
  let stirredAt: number | undefined;
  let cancelSettle = (): void => {};
  let cancelLook = (): void => {};

  const settle = async (): Promise<void> => {
    stirredAt = undefined;
    const now = await signatures(paths);
    if (stopped || now === seen) return;
    seen = now;
    await follow();
    changed();
  };
  const stir = (): void => {
    if (stopped) return;
    cancelSettle();
    stirredAt ??= clock.now();
    const patience = stirredAt + RESTLESS_MS - clock.now();
    cancelSettle = clock.after(Math.max(0, Math.min(SETTLE_MS, patience)), () => void settle());
  };
  const look = async (): Promise<void> => {
    if (await signatures(paths) !== seen) stir();
    if (!stopped) cancelLook = clock.after(LOOK_MS, () => void look());
  };
  /** Watches the folders that the paths are in now, and those that links lead to. */
  const follow = async (): Promise<void> => {
    const folders = new Set((await Promise.all(paths.map(foldersOf))).flat());
    for (const [folder, watcher] of watchers) {
      if (folders.has(folder)) continue;
      watcher.close();
      watchers.delete(folder);
    }
    for (const folder of folders) {
      if (stopped || watchers.has(folder)) continue;
      try {
        const watcher = watch(folder, { persistent: false }, stir);
        watcher.on("error", () => watcher.close());
        watchers.set(folder, watcher);
      } catch {
        // Too many watches, or no such folder: the look remains.
      }
    }
  };

  await follow();
  cancelLook = clock.after(LOOK_MS, () => void look());
  return () => {
    stopped = true;
    cancelSettle();
    cancelLook();
    for (const watcher of watchers.values()) watcher.close();
  };
}

async function foldersOf(path: string): Promise<readonly string[]> {
  const real = await realpath(path).catch(() => path);
  return [dirname(path), dirname(real)];
}

/** Another text whenever one of the files is another, or has another content. */
async function signatures(paths: readonly string[]): Promise<string> {
  const all = await Promise.all(paths.map(async (path) => {
    const facts = await stat(path, { bigint: true }).catch(() => undefined);
    return facts && [facts.ino, facts.size, facts.mtimeNs, facts.ctimeNs, facts.mode].join(" ");
  }));
  return JSON.stringify(all);
}
