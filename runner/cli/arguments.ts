import { parseArgs, type ParseArgsConfig } from "node:util";
import { GatewayError } from "../../src/errors.ts";

/** The options of a command, as `node:util` parseArgs takes them. */
export type Options = NonNullable<ParseArgsConfig["options"]>;

/** Options that more than one command has. */
export const JSON_OPTION = { json: { type: "boolean" } } as const;

/** Names the config file. */
export const CONFIG_OPTION = { config: { type: "string" } } as const;

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
    throw new GatewayError("usage", `${what}\nUsage: ${usage}`, { cause: error });
  }
}

/** Wrong use of a command, with the right one. */
export function usageError(what: string, usage: string): GatewayError {
  return new GatewayError("usage", `${what}\nUsage: ${usage}`);
}
