import { commandsPlan } from "../approval/container-plan.ts";
import { launchCommands } from "../commands-server/launch.ts";
import type { CommandTool } from "../config/command-tool.ts";
import type { ServerConfig } from "../config/config.ts";
import type { Launch } from "../server/managed-server.ts";
import { approvedImage } from "./approved-image.ts";
import { labelsOf } from "./labels.ts";
import { bareLauncher, type LaunchContext, type Launcher } from "./launcher.ts";
import { wayOutOf } from "./way-out.ts";

/** For tools that are commands, each call of which runs in a container of its own. */
export function commandsLauncher(
  config: ServerConfig,
  tools: readonly CommandTool[],
  context: LaunchContext,
): Launcher {
  const wayOut = wayOutOf(config, context);
  const prepare = async (reference: string, progress: (line: string) => void): Promise<string> => {
    const { image } = await approvedImage({ kind: "image", reference }, {
      config,
      context,
      progress,
      plan: (ready, facts) => commandsPlan(config, tools, { reference, ready, facts }),
    });
    return image;
  };
  const launch: Launch = async (progress) => {
    const engine = await context.engine();
    return await wayOut.through(progress, (network) =>
      launchCommands({
        config,
        tools,
        engine,
        labels: labelsOf(config, context.owner),
        place: context.place,
        network,
        prepareImage: (reference) => prepare(reference, progress),
      }));
  };
  const images = new Set(tools.map(({ image }) => image));
  return {
    ...bareLauncher(launch),
    approve: async (progress) => {
      for (const image of images) await prepare(image, progress);
    },
    close: () => wayOut.close(),
  };
}
