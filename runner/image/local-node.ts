/**
 * A file system with nothing but the Node program that runs this code, the libraries it needs, and a
 * shell: the base of npm servers where no registry can be reached. Called by base-image.ts.
 *
 * @module
 */
import { realpath } from "node:fs/promises";
import type { Readable } from "node:stream";
import { withLocalFiles } from "./local-files.ts";

/** Where the program is in the image. */
export const NODE_PATH = "/usr/bin/node";

/**
 * Runs `use` with a tar stream of the file system.
 *
 * @throws {Error} when a file cannot be found or read.
 */
export async function withLocalNode<T>(use: (tar: Readable) => Promise<T>): Promise<T> {
  const node = { from: await realpath(process.execPath), to: NODE_PATH };
  return await withLocalFiles({ programs: [node] }, use);
}
