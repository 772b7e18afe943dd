import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import * as v from "valibot";
import { isCurrent, npm } from "../scripts/install.mjs";
import { must } from "../scripts/run.mjs";

/** Folder of the peers: not among the packages of the project, since they weigh 100 MB. */
const FOLDER = fileURLToPath(new URL("./peers/", import.meta.url));

const lockFile = v.object({
  packages: v.record(
    v.string(),
    v.object({
      version: v.optional(v.string()),
      integrity: v.optional(v.string()),
      optional: v.optional(v.boolean()),
    }),
  ),
});

/**
 * Installs the packages of bench/peers/package-lock.json unless they are there.
 *
 * @throws {Error} With npm's output when it fails.
 */
export async function ensurePeers(say: (line: string) => void): Promise<void> {
  const record = join(FOLDER, "node_modules/.package-lock.json");
  const locked = packagesOf(join(FOLDER, "package-lock.json"));
  if (existsSync(record) && isCurrent(locked, packagesOf(record))) return;
  say("Installing the peers to compare with into bench/peers/node_modules (once, about 110 MB)");
  const { command, args, shell } = npm();
  const quiet = ["--ignore-scripts", "--no-audit", "--no-fund"];
  await must(command, [...args, "ci", ...quiet], { cwd: FOLDER, shell });
}

/** Path of a file in an installed package. */
export function peerFile(path: string): string {
  return join(FOLDER, "node_modules", path);
}

function packagesOf(path: string): Parameters<typeof isCurrent>[0] {
  const { packages } = v.parse(lockFile, JSON.parse(readFileSync(path, "utf8")));
  // Absent members stay absent: that is how the two files are compared.
  return packages as Parameters<typeof isCurrent>[0];
}
