import type { CommandTool } from "../config/command-tool.ts";
import type { ServerConfig } from "../config/config.ts";
import type { VolumePlace } from "../config/volume.ts";
import type { ContainerNetwork } from "../docker/create.ts";
import type { Engine } from "../docker/engine.ts";
import type { ServerProcess } from "../server/process.ts";
import { callSpec } from "./call.ts";
import { runOnce } from "./run.ts";
import { CommandsServer } from "./server.ts";

/** What a server of commands is launched with. */
export interface CommandsSpec {
  /** The server; its env, volumes, limits, isolation and user hold for each run. */
  readonly config: ServerConfig;
  readonly tools: readonly CommandTool[];
  readonly engine: Engine;
  /** See runner/docker/label.ts; every container of it has them. */
  readonly labels: Readonly<Record<string, string>>;
  /** What host paths of its tools are read against. */
  readonly place: VolumePlace;
  /** Present if its runs may reach something. */
  readonly network?: ContainerNetwork | undefined;
  /**
   * Makes sure that the engine has an image.
   *
   * @returns Its id or tag. Rejects with `image_missing` and what else ensureImage gives.
   */
  readonly prepareImage: (reference: string) => Promise<string>;
}

/** Longest run where the config gives no `timeout`, in milliseconds. */
const CALL_MS = 10 * 60_000;

/**
 * Starts a server each of whose tools is one run of a container. Its images are made ready first, so that
 * no call waits for a download.
 *
 * @throws {GatewayError} what `prepareImage` throws.
 */
export async function launchCommands(spec: CommandsSpec): Promise<ServerProcess> {
  const { config, tools, engine, labels, place, network, prepareImage } = spec;
  const images = new Map<string, string>();
  for (const { image } of tools) {
    if (!images.has(image)) images.set(image, await prepareImage(image));
  }
  return new CommandsServer({
    name: config.name,
    tools,
    callMs: config.life.callMs ?? CALL_MS,
    run: async (tool, args, signal) => {
      const callPlace = { volumes: place, open: config.volumes };
      const { command, volumes, namedVolumes, user } = await callSpec(tool, args, callPlace);
      const taken = new Set(
        [...config.volumes, ...config.namedVolumes].map(({ containerPath }) => containerPath),
      );
      const isFree = ({ containerPath }: { readonly containerPath: string }) =>
        !taken.has(containerPath);
      return await runOnce(engine, {
        image: images.get(tool.image) ?? tool.image,
        command: [...command, ...config.args],
        env: config.env,
        volumes: [...config.volumes, ...volumes.filter(isFree)],
        namedVolumes: [...config.namedVolumes, ...namedVolumes.filter(isFree)],
        limits: config.limits,
        isolation: config.isolation,
        user: config.user ?? user,
        network,
        labels,
      }, signal);
    },
  });
}
