import { GatewayError } from "../../src/errors.ts";
import type { Config } from "./config.ts";
import { quote } from "./problem.ts";
import { suggest } from "./suggest.ts";

/**
 * The config with the servers of one of its profiles alone, in the order of the file; all of them
 * without a name.
 *
 * @throws {GatewayError} `usage` for a profile that the config does not have.
 */
export function selectProfile(config: Config, name: string | undefined): Config {
  if (name === undefined) return config;
  const names = Object.hasOwn(config.profiles, name) ? config.profiles[name] : undefined;
  if (names === undefined) {
    const known = Object.keys(config.profiles);
    const meant = suggest(name, known);
    const hint = meant === undefined
      ? known.length === 0 ? "the config has none" : `there are ${known.join(", ")}`
      : `did you mean "${meant}"`;
    throw new GatewayError("usage", `Cannot use profile ${quote(name)}: ${hint}`);
  }
  return { ...config, servers: config.servers.filter((server) => names.includes(server.name)) };
}
