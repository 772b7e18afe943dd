import { GatewayError } from "../../src/errors.ts";
import type { CommandTool } from "../config/command-tool.ts";
import type { ServerConfig } from "../config/config.ts";
import { quote } from "../config/problem.ts";
import { parseSource } from "../config/source.ts";
import { parseVolume } from "../config/volume.ts";
import type { Expansion } from "./expand.ts";
import { pathsOf } from "./template.ts";

/**
 * A server whose tools are each one run of a container. Their templates are rendered with the arguments
 * of each call; what is the same for all calls is checked here.
 *
 * @throws {GatewayError} `config_invalid`.
 */
export function expandCommands({ config, entry, place }: Expansion): ServerConfig {
  const names = new Set<string>();
  const tools = entry.tools.map(({ name, description, container }): CommandTool => {
    if (container === undefined) throw refused(`its tool ${quote(name)} has no container`);
    if (names.has(name)) throw refused(`it has two tools called ${quote(name)}`);
    names.add(name);
    const { image, command, volumes, user, inputSchema } = container;
    parseSource(`image:${image}`);
    for (const template of [...command, ...volumes, ...(user === undefined ? [] : [user])]) {
      // An unknown function is told now, not at the first call.
      const isFixed = pathsOf(template).length === 0;
      if (isFixed && volumes.includes(template)) parseVolume(template, place);
    }
    return {
      name,
      description,
      inputSchema,
      image,
      command,
      volumes,
      ...(user !== undefined && { user }),
    };
  });
  if (tools.length === 0) throw refused("it has no tools");
  return { ...config, source: { kind: "commands", tools } };
}

function refused(message: string): GatewayError {
  return new GatewayError("config_invalid", message);
}
