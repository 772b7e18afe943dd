import { randomUUID } from "node:crypto";
import { readFile, rm, stat, writeFile } from "node:fs/promises";
import { setTimeout as wait } from "node:timers/promises";
import { GatewayError } from "../../src/errors.ts";
import { printable } from "../../src/log.ts";

/** What is done under a lock takes milliseconds: an older lock has lost its holder. */
const STALE_MS = 10_000;

/** Longer than a lock can be stale, so that a waiter outlives a holder that was killed. */
const PATIENCE_MS = 15_000;

/** Bound of the random wait between two tries. */
const RETRY_MS = 20;

/**
 * Runs `work` while no other process runs it with the same lock file.
 *
 * @throws {GatewayError} `store_unavailable` when the lock cannot be had in 15 seconds.
 */
export async function withLock<T>(path: string, work: () => Promise<T>): Promise<T> {
  const token = randomUUID();
  const deadline = performance.now() + PATIENCE_MS;
  while (!await create(path, token)) {
    if (performance.now() > deadline) {
      throw new GatewayError(
        "store_unavailable",
        `Cannot lock ${printable(path)}: another mcp-runner holds it, delete the file if none runs`,
      );
    }
    await removeStale(path);
    await wait(Math.random() * RETRY_MS);
  }
  try {
    return await work();
  } finally {
    // A holder that slept past STALE_MS has lost the lock to somebody else.
    if (await readFile(path, "utf8").catch(() => "") === token) await rm(path, { force: true });
  }
}

/** Removes a lock without holder. A second lock, so that nobody removes one that was taken meanwhile. */
async function removeStale(path: string): Promise<void> {
  const guard = `${path}.stale`;
  if (!await isStale(path)) return;
  if (!await create(guard, "")) {
    if (await isStale(guard)) await rm(guard, { force: true });
    return;
  }
  try {
    if (await isStale(path)) await rm(path, { force: true });
  } finally {
    await rm(guard, { force: true });
  }
}

/** Makes the file unless it exists, which one process alone can do. */
async function create(path: string, content: string): Promise<boolean> {
  try {
    await writeFile(path, content, { flag: "wx", mode: 0o600 });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    // A full disk makes the file and fails to fill it.
    await rm(path, { force: true });
    throw error;
  }
}

async function isStale(path: string): Promise<boolean> {
  const facts = await stat(path).catch(() => undefined);
  return facts !== undefined && Date.now() - facts.mtimeMs > STALE_MS;
}
