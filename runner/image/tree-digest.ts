import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { lstat, readdir, readlink } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";

/**
 * A hash over the names and the content of all files under `directory`: `sha256:…`. The same on every
 * machine that has the same files; owners, times and modes other than "executable" do not count.
 *
 * @throws {Error} when something is neither a file, a folder nor a link, or cannot be read.
 */
export async function treeDigest(directory: string): Promise<string> {
  const tree = createHash("sha256");
  const names = await readdir(directory, { recursive: true });
  for (const name of names.map((path) => path.replaceAll("\\", "/")).toSorted()) {
    const path = join(directory, name);
    const facts = await lstat(path);
    if (facts.isDirectory()) continue;
    const isLink = facts.isSymbolicLink();
    // A pipe would never end.
    if (!isLink && !facts.isFile()) {
      throw new Error(`${name} is neither a file, a folder nor a link`);
    }
    const content = isLink ? `link ${await readlink(path)}` : await fileDigest(path);
    const kind = (facts.mode & 0o100) !== 0 ? "x" : "-";
    tree.update(`${JSON.stringify([name, kind, content])}\n`);
  }
  return `sha256:${tree.digest("hex")}`;
}

/** Read in pieces: files of packages have any size. */
async function fileDigest(path: string): Promise<string> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(path), hash);
  return hash.digest("hex");
}
