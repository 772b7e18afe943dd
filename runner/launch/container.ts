import { planOf } from "../approval/container-plan.ts";
import type { ServerConfig } from "../config/config.ts";
import { runKey } from "../config/run-key.ts";
import type { ContainerSource } from "../config/source.ts";
import { sourceText } from "../config/source-text.ts";
import { startContainer } from "../docker/container.ts";
import type { ReadyImage } from "../image/image.ts";
import type { ImageLock } from "../image/lock.ts";
import { withTag } from "../image/pull.ts";
import type { Launch } from "../server/managed-server.ts";
import { approvedImage } from "./approved-image.ts";
import { handedSecrets } from "./handed-secrets.ts";
import { labelsOf } from "./labels.ts";
import type { LaunchContext, Launcher } from "./launcher.ts";
import { wayOutOf } from "./way-out.ts";

/** For a program in a container of ours. */
export function containerLauncher(
  config: ServerConfig,
  source: ContainerSource,
  context: LaunchContext,
): Launcher {
  const { lock, log } = context;
  const { name } = config;
  const reference = sourceText(source);
  const key = runKey(config);
  const wayOut = wayOutOf(config, context);
  let ready: ReadyImage | undefined;

  const prepare = async (progress: (line: string) => void): Promise<ReadyImage> =>
    ready = await approvedImage(source, {
      config,
      context,
      progress,
      plan: (found, facts) => planOf(config, { reference, ready: found, facts }),
    });
  const launch: Launch = async (progress) => {
    const { image, command } = await prepare(progress);
    const secrets = await handedSecrets(config, context);
    const engine = await context.engine();
    const container = await wayOut.through(progress, (network) =>
      startContainer(engine, {
        image,
        command: [...command, ...config.args],
        env: { ...config.env, ...network?.env },
        volumes: config.volumes,
        namedVolumes: config.namedVolumes,
        limits: config.limits,
        isolation: config.isolation,
        user: config.user,
        network,
        secrets,
        labels: labelsOf(config, context.owner),
      }));
    for (const warning of container.warnings) log("warn", `Server "${name}": ${warning}`);
    return container;
  };
  return {
    launch,
    approve: async (progress) => void await prepare(progress),
    image: () => ready?.name,
    program: () => {
      const digest = ready?.digest ?? pinned(lock, source);
      return digest && JSON.stringify([digest, key]);
    },
    close: () => wayOut.close(),
  };
}

/** A lock that somebody has damaged pins nothing that is known before the start, which will say so. */
function pinned(lock: ImageLock, source: ContainerSource): string | undefined {
  try {
    const key = source.kind === "image" ? withTag(source.reference) : sourceText(source);
    return lock.get(key)?.digest;
  } catch {
    return undefined;
  }
}
