import { createHash } from "node:crypto";
import { lstat, readdir, readFile, readlink } from "node:fs/promises";
import { join } from "node:path";

/**
 * A hash over the names and the content of all files under `directory`: `sha256:…`. The same on every
 * machine that has the same files; owners, times and modes other than "executable" do not count.
 */
export async function treeDigest(directory: string): Promise<string> {
  const tree = createHash("sha256");
  const names = await readdir(directory, { recursive: true });
  for (const name of names.map((path) => path.replaceAll("\\", "/")).toSorted()) {
    const path = join(directory, name);
    const facts = await lstat(path);
    if (facts.isDirectory()) continue;
    const content = facts.isSymbolicLink()
      ? `link ${await readlink(path)}`
      : createHash("sha256").update(await readFile(path)).digest("hex");
    const kind = (facts.mode & 0o100) !== 0 ? "x" : "-";
    tree.update(`${JSON.stringify([name, kind, content])}\n`);
  }
  return `sha256:${tree.digest("hex")}`;
}
