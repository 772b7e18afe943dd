/**
 * Runs store-sqlite.test.ts once more, under Deno.
 *
 * @module
 */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const root = fileURLToPath(new URL("../..", import.meta.url));

test("the store contract holds for node:sqlite on Deno", async () => {
  const { stdout } = await promisify(execFile)(
    "node_modules/.bin/deno",
    ["test", "--allow-all", "--no-check", "test/runtime/store-sqlite.test.ts"],
    { cwd: root, env: { ...process.env, NO_COLOR: "1" }, timeout: 60_000 },
  );
  assert.match(stdout, /the store on a SQLite file/);
  assert.match(stdout, /\| 0 failed/);
});
