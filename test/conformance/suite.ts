import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { NODE, ROOT, startProgram } from "../support/program.ts";
import type { Release, ScenarioSet } from "./sets.ts";

const PROGRAMS: Readonly<Record<Release, string>> = {
  stable: join(ROOT, "node_modules/@modelcontextprotocol/conformance/dist/index.js"),
  next: join(ROOT, "node_modules/conformance-next/dist/index.js"),
};

/** Longest that the suite may take for a set, in milliseconds. */
const SET_MS = 240_000;

/**
 * Runs the suite over a set. What came of it is in the files that it writes; its exit code, which forgives
 * warnings, does not count.
 *
 * @returns The folder with the files.
 */
export async function runSuite(
  { name, release, runs }: ScenarioSet,
  { url, signal }: { readonly url: string; readonly signal: AbortSignal },
): Promise<string> {
  const folder = join(ROOT, "out/conformance", name);
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  const ends = AbortSignal.any([signal, AbortSignal.timeout(SET_MS)]);
  for (const selection of runs) {
    const args = [PROGRAMS[release], "server", "--url", url, "-o", folder, ...selection];
    await using program = startProgram(NODE, args);
    const stop = () => void program.stop("SIGKILL");
    ends.addEventListener("abort", stop);
    await program.exit;
    ends.removeEventListener("abort", stop);
    if (ends.aborted) break;
  }
  signal.throwIfAborted();
  return folder;
}
