import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { treeDigest } from "../../runner/image/tree-digest.ts";

const isWindows = process.platform === "win32";

/** Runs `use` with a folder that holds a file in a folder. */
async function withTree(use: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "mcp-runner-tree-"));
  try {
    await mkdir(join(folder, "a"));
    await writeFile(join(folder, "a", "b"), "text");
    await use(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

test(
  "treeDigest() changes with a name, a content, and what may be run",
  { skip: isWindows },
  () =>
    withTree(async (folder) => {
      const seen = new Set([await treeDigest(folder)]);
      const changes = [
        () => writeFile(join(folder, "a", "b"), "texT"),
        () => writeFile(join(folder, "c"), ""),
        () => chmod(join(folder, "c"), 0o755),
        () => symlink("a", join(folder, "d")),
      ];
      for (const change of changes) {
        await change();
        seen.add(await treeDigest(folder));
      }
      assert.equal(seen.size, 5);
      assert.ok([...seen].every((digest) => /^sha256:[0-9a-f]{64}$/.test(digest)));
    }),
);

test(
  "treeDigest() does not wait for a pipe",
  { skip: isWindows, timeout: 10_000 },
  () =>
    withTree(async (folder) => {
      execFileSync("/usr/bin/env", ["mkfifo", join(folder, "pipe")]);
      await assert.rejects(treeDigest(folder), /neither a file, a folder nor a link/);
    }),
);
