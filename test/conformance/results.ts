/**
 * What the suite leaves behind: a folder for each scenario that it ran, with a list of checks.
 *
 * @module
 */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import * as v from "valibot";

const checks = v.array(v.object({
  id: v.string(),
  status: v.picklist(["SUCCESS", "FAILURE", "WARNING", "SKIPPED", "INFO"]),
  errorMessage: v.optional(v.string()),
}));

/** One claim of a scenario, and whether it held. */
export type Check = v.InferOutput<typeof checks>[number];

/** The checks of each scenario that ran. */
export type Results = ReadonlyMap<string, readonly Check[]>;

/** `server-<scenario>-<time>`, the time in ISO 8601 with `-` for `:` and `.`. */
const FOLDER = /^server-(?<scenario>.+)-\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d-\d{3}Z$/;

/** The scenario whose results a folder of this name holds. */
export function scenarioOf(folder: string): string | undefined {
  return FOLDER.exec(folder)?.groups?.["scenario"];
}

/**
 * Reads a list of checks.
 *
 * @throws {Error} When it is none.
 */
export function parseChecks(text: string): readonly Check[] {
  return v.parse(checks, JSON.parse(text));
}

/**
 * Reads what the suite wrote into `folder`; a scenario that ran twice has the checks of both runs.
 *
 * @throws {Error} When something there is not what the suite writes.
 */
export async function readResults(folder: string): Promise<Results> {
  const results = new Map<string, readonly Check[]>();
  for (const name of await readdir(folder)) {
    const scenario = scenarioOf(name);
    if (scenario === undefined) throw new Error(`Cannot read results: what is "${name}"?`);
    const read = parseChecks(await readFile(join(folder, name, "checks.json"), "utf8"));
    results.set(scenario, [...results.get(scenario) ?? [], ...read]);
  }
  return results;
}
