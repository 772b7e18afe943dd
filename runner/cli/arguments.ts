import { parseArgs, type ParseArgsConfig } from "node:util";
import { GatewayError } from "../../src/errors.ts";
import { suggest } from "../config/suggest.ts";
import { usageText } from "./commands.ts";

/** The options of a command, as `node:util` parseArgs takes them. */
export type Options = NonNullable<ParseArgsConfig["options"]>;

/** Options that more than one command has. */
export const JSON_OPTION = { json: { type: "boolean" } } as const;

/** Names the config file. */
export const CONFIG_OPTION = { config: { type: "string" } } as const;

/** Options of commands that start servers. */
export const START_OPTIONS = {
  ...CONFIG_OPTION,
  ...JSON_OPTION,
  profile: { type: "string" },
  yes: { type: "boolean", short: "y" },
} as const;

/** The config file that is read without `--config`. */
export const DEFAULT_CONFIG = "mcp-runner.yaml";

/**
 * Reads a command's arguments.
 *
 * @param usage Shown with what is wrong.
 * @throws {GatewayError} `usage`.
 */
export function readArguments<const O extends Options>(
  args: readonly string[],
  options: O,
  usage: string,
) {
  try {
    return parseArgs({ args: [...args], options, allowPositionals: true, strict: true });
  } catch (error) {
    const what = error instanceof Error ? error.message : String(error);
    const told = unknownOption(what, Object.keys(options)) ?? what;
    throw new GatewayError("usage", `${told}\n${usageText(usage)}`, { cause: error });
  }
}

/** Wrong use of a command, with the right one. */
export function usageError(what: string, usage: string): GatewayError {
  return new GatewayError("usage", `${what}\n${usageText(usage)}`);
}

/** What Node says of an unknown option in three lines, in one; undefined for all else that it says. */
function unknownOption(what: string, known: readonly string[]): string | undefined {
  const [, option, name = ""] = /^Unknown option '(--?([^']*))'/.exec(what) ?? [];
  if (option === undefined) return undefined;
  const meant = suggest(name, known);
  return `Unknown option ${option}${meant === undefined ? "" : `, did you mean --${meant}`}`;
}

/** The arguments of a tool, checked to be a JSON object and kept as they were written. */
export function readArgs(text: string): string {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new GatewayError("usage", `--args is not JSON: ${text}`, { cause });
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new GatewayError("usage", '--args must be a JSON object, such as \'{"message":"hi"}\'');
  }
  return text;
}
