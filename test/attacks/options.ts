import { parseArgs } from "node:util";
import type { Attack } from "./attack.ts";
import { ESCAPES } from "./escapes.ts";
import { EXHAUSTIONS } from "./exhaustions.ts";
import { FLOODS } from "./floods.ts";
import { LIVES } from "./lives.ts";
import { NETWORKS } from "./networks.ts";

/** All attacks, in the order in which they run. */
export const ATTACKS: readonly Attack[] = [
  ...ESCAPES,
  ...NETWORKS,
  ...LIVES,
  ...EXHAUSTIONS,
  ...FLOODS,
];

/** What the command line asks for. */
export interface Options {
  readonly json: boolean;
  readonly help: boolean;
  readonly attacks: readonly Attack[];
}

/** How to call the harness. */
export const USAGE = `Usage: npm run attacks -- [--only <text>]... [--json]

  --only  only attacks whose name has this text, of
${ATTACKS.map(({ name }) => `            ${name}`).join("\n")}
  --json  print one line of JSON at the end instead of a table`;

/**
 * Reads the command line.
 *
 * @throws {TypeError} For what does not exist.
 */
export function readOptions(args: readonly string[]): Options {
  const flag = { type: "boolean", default: false } as const;
  const options = { json: flag, help: flag, only: { type: "string", multiple: true } } as const;
  const { values: { json, help, only } } = parseArgs({ args: [...args], options });
  const attacks = ATTACKS.filter(({ name }) =>
    only === undefined || only.some((text) => name.includes(text))
  );
  if (attacks.length === 0) throw new TypeError(`There is no attack with "${only?.join('", "')}"`);
  return { json, help, attacks };
}
