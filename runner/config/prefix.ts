import { GatewayError } from "../../src/errors.ts";
import { defaultPrefix } from "../../src/mcp/name.ts";
import { quote } from "./problem.ts";

const PREFIX = /^[A-Za-z0-9_.-]{1,32}$/;

/**
 * What the names of a server's tools and prompts begin with: `notes` is `notes__`, `none` is nothing.
 *
 * @throws {GatewayError} `config_invalid`.
 */
export function parsePrefix(text: string): string {
  if (text === "none") return "";
  if (PREFIX.test(text)) return defaultPrefix(text);
  throw new GatewayError(
    "config_invalid",
    `${quote(text)} is not a prefix, use 1 to 32 of letters, digits, "_", "." and "-", or none`,
  );
}
