import { parseArgs } from "node:util";
import { type Runtime, RUNTIMES } from "../support/worker.ts";
import { type ScenarioSet, SETS } from "./sets.ts";

/** What the command line asks for. */
export interface Options {
  readonly json: boolean;
  readonly help: boolean;
  readonly sets: readonly ScenarioSet[];
  /** What the worker runs on. */
  readonly runtime: Runtime;
}

/** How to call the harness. */
export const USAGE = `Usage: npm run conformance -- [--set <name>]... [--runtime <runtime>] [--json]

  --set      only this one of
${SETS.map(({ name, claim }) => `               ${name.padEnd(26)}${claim}`).join("\n")}
  --runtime  what the worker runs on: ${RUNTIMES.join(", ")}
  --json     print one line of JSON at the end instead of a table`;

/**
 * Reads the command line.
 *
 * @throws {TypeError} For what does not exist.
 */
export function readOptions(args: readonly string[]): Options {
  const flag = { type: "boolean", default: false } as const;
  const options = {
    json: flag,
    help: flag,
    set: { type: "string", multiple: true },
    runtime: { type: "string", default: "node" },
  } as const;
  const { values } = parseArgs({ args: [...args], options });
  const runtime = RUNTIMES.find((name) => name === values.runtime);
  if (runtime === undefined) throw new TypeError(`There is no runtime "${values.runtime}"`);
  const sets = values.set?.map((name) => {
    const set = SETS.find((it) => it.name === name);
    if (set === undefined) throw new TypeError(`There is no set "${name}"`);
    return set;
  });
  return { json: values.json, help: values.help, sets: sets ?? SETS, runtime };
}
