import type { CommandTool } from "../config/command-tool.ts";
import { targetText } from "../config/egress-target.ts";
import type { ServerConfig } from "../config/config.ts";
import type { Isolation } from "../config/isolation.ts";
import { isRoot, NOBODY } from "../docker/host-config.ts";
import type { ImageFacts } from "../docker/inspect.ts";
import type { ReadyImage } from "../image/image.ts";
import { referenceText } from "../secrets/reference.ts";
import type { LaunchPlan } from "./plan.ts";

/** What is known of an image before its container is made. */
export interface PlannedImage {
  /** Reference as the config has it. */
  readonly reference: string;
  readonly ready: ReadyImage;
  readonly facts: ImageFacts;
}

/** How a server will run in a container of this image. */
export function planOf(
  config: ServerConfig,
  { reference, ready, facts }: PlannedImage,
): LaunchPlan {
  const { name, args, env, secrets, secretFiles, volumes, namedVolumes, network } = config;
  const { Entrypoint, Cmd, User } = facts.Config;
  const command = [...ready.command, ...args];
  const mounts = [
    ...volumes.map(({ hostPath, ...rest }) => ({ source: hostPath, ...rest })),
    ...namedVolumes.map(({ volume, ...rest }) => ({ source: volume, ...rest })),
  ];
  return {
    server: name,
    image: reference,
    digest: ready.digest,
    command: [...Entrypoint, ...(command.length > 0 ? command : Cmd)],
    user: config.user ?? imageUser(User, config.isolation.root),
    variables: Object.keys(env).toSorted(),
    secrets: secretsText({ ...secrets, ...secretFiles }),
    mounts: mounts.map(({ source, containerPath, readOnly }) =>
      `${source}:${containerPath}:${readOnly ? "ro" : "rw"}`
    ),
    network: [
      ...network.map(targetText),
      ...config.extraHosts.map(({ host, address }) => `${host} at ${address}`),
    ],
    optOuts: [
      ...optOutsOf(config.isolation),
      ...(config.allowEnvSecrets ? ["allowEnvSecrets"] : []),
    ],
  };
}

/** How the tools of a server will run, each in a container of its own, that use this image. */
export function commandsPlan(
  config: ServerConfig,
  tools: readonly CommandTool[],
  image: PlannedImage,
): LaunchPlan {
  const plan = planOf(config, image);
  const mine = tools.filter((tool) => tool.image === image.reference);
  return {
    ...plan,
    // One server may have several images, each with an answer of its own.
    server: `${config.name} (${image.reference})`,
    command: mine.map(({ name, command }) => `${name}: ${command.join(" ")}`),
    mounts: [...plan.mounts, ...new Set(mine.flatMap(({ volumes }) => volumes))],
  };
}

/** How a server will run in a container that somebody else runs: as that is, whatever it may do. */
export function runningPlan(
  { name, args, env, secrets }: ServerConfig,
  container: string,
): LaunchPlan {
  return {
    server: name,
    image: `container "${container}"`,
    digest: "as it is",
    command: [...args],
    user: "that of the container",
    variables: Object.keys(env).toSorted(),
    secrets: secretsText(secrets),
    mounts: ["those of the container"],
    network: ["that of the container"],
    optOuts: ["all: the container is not made here"],
  };
}

/** What a server is let off, as the config names it. */
export function optOutsOf({ caps, runtime, gpus, ...switches }: Isolation): readonly string[] {
  return [
    ...Object.entries(switches).filter(([, on]) => on).map(([name]) => name),
    ...(caps.length > 0 ? [`caps: ${caps.join(" ")}`] : []),
    ...(runtime === undefined ? [] : [`runtime: ${runtime}`]),
    ...(gpus === undefined ? [] : [`gpus: ${gpus}`]),
  ];
}

function imageUser(user: string, root: boolean): string {
  const [name = ""] = user.split(":");
  if (!isRoot(name)) return user;
  return root ? user || "root" : NOBODY;
}

function secretsText(secrets: ServerConfig["secrets"]): string[] {
  return Object.entries(secrets)
    .map(([variable, reference]) => `${variable} from ${referenceText(reference)}`).toSorted();
}
