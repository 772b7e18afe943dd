import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { readEntry } from "../../runner/image/npm-entry.ts";

/** Reads a package with this manifest, and a program beside it. */
async function entryOf(manifest: object) {
  const folder = await mkdtemp(join(tmpdir(), "mcp-runner-npm-entry-"));
  const home = join(folder, "node_modules", "notes");
  try {
    await mkdir(home, { recursive: true });
    await writeFile(join(home, "package.json"), JSON.stringify(manifest));
    await writeFile(join(home, "cli.js"), "");
    return await readEntry(folder, "notes");
  } finally {
    await rm(folder, { recursive: true });
  }
}

test("readEntry() reads the version and the program", async () => {
  assert.deepEqual(await entryOf({ version: "1.0.0-rc.1+build", bin: "./cli.js" }), {
    version: "1.0.0-rc.1+build",
    program: "cli.js",
    nodeOptions: [],
  });
});

// It becomes a line of a Dockerfile, and npm does not compare it with what its registry says.
const versions = ['1.0.0"\nUSER 0\nRUN id\nLABEL a="', "1.0.0 ", "$HOME", "", "1".repeat(129)];
for (const version of versions) {
  test(`readEntry() refuses the version ${JSON.stringify(version.slice(0, 12))}`, async () => {
    await assert.rejects(entryOf({ version, bin: "cli.js" }), {
      code: "image_missing",
      message: /its package\.json makes no sense/,
    });
  });
}
