import { createHash } from "node:crypto";
import { realpath } from "node:fs/promises";
import type { CommandTool } from "../config/command-tool.ts";
import { targetText } from "../config/egress-target.ts";
import type { ServerConfig } from "../config/config.ts";
import { sourceText } from "../config/source-text.ts";
import type { Isolation } from "../config/isolation.ts";
import { isRoot, NOBODY } from "../docker/host-config.ts";
import type { ImageFacts } from "../docker/inspect.ts";
import type { ReadyImage } from "../image/image.ts";
import { isSecret } from "../import/literal.ts";
import { referenceText } from "../secrets/reference.ts";
import { type LaunchPlan, word } from "./plan.ts";

/** What is known of an image before its container is made. */
export interface PlannedImage {
  /** Reference as the config has it. */
  readonly reference: string;
  readonly ready: ReadyImage;
  readonly facts: ImageFacts;
}

/** How a server will run in a container of this image, with the files that links lead to now. */
export async function planOf(
  config: ServerConfig,
  { reference, ready, facts }: PlannedImage,
): Promise<LaunchPlan> {
  const { name, args, env, secrets, secretFiles, volumes, namedVolumes, network } = config;
  const { Entrypoint, Cmd, User } = facts.Config;
  const command = [...ready.command, ...args];
  const mounts = [
    ...await Promise.all(volumes.map(async ({ hostPath, ...rest }) => ({
      // One that is not there is refused when the container is made.
      source: await realpath(hostPath).catch(() => hostPath),
      ...rest,
    }))),
    ...namedVolumes.map(({ volume, ...rest }) => ({ source: volume, ...rest })),
  ];
  return {
    server: name,
    image: reference,
    digest: ready.digest,
    command: [...Entrypoint, ...(command.length > 0 ? command : Cmd)],
    user: config.user ?? imageUser(User, config.isolation.root),
    variables: variablesText(env),
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
export async function commandsPlan(
  config: ServerConfig,
  tools: readonly CommandTool[],
  image: PlannedImage,
): Promise<LaunchPlan> {
  const plan = await planOf(config, image);
  const mine = tools.filter((tool) => tool.image === image.reference);
  return {
    ...plan,
    server: `${config.name} (${image.reference})`,
    command: mine.map(({ name, command }) => `${name}: ${command.map(word).join(" ")}`),
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
    variables: variablesText(env),
    secrets: secretsText(secrets),
    mounts: ["those of the container"],
    network: ["that of the container"],
    optOuts: ["all: the container is not made here"],
  };
}

/**
 * What a server at a URL gets from this machine, and where that is; undefined when the config itself
 * says all of it.
 */
export function upstreamPlan(
  { name, source, headers, secrets, oauth, catalog }: ServerConfig,
): LaunchPlan | undefined {
  const sent = [
    ...secretsText(secrets),
    ...(oauth?.clientSecret === undefined
      ? []
      : [`OAuth client secret from ${referenceText(oauth.clientSecret)}`]),
  ];
  // Where a catalog leads may change, and what the config itself sends would go along.
  if (sent.length === 0 && catalog === undefined) return undefined;
  return {
    server: name,
    image: sourceText(source),
    digest: "",
    command: [],
    user: "",
    variables: Object.keys(headers).toSorted(),
    secrets: sent,
    mounts: [],
    network: [],
    optOuts: [],
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

/** Values are shown, since they may say what a program does; one that looks like a secret by its hash. */
function variablesText(env: ServerConfig["env"]): string[] {
  return Object.entries(env).map(([name, value]) => {
    if (!isSecret(name, value)) return `${name}=${value}`;
    const hash = createHash("sha256").update(value).digest("hex");
    return `${name}=[hidden, sha256 ${hash.slice(0, 12)}]`;
  }).toSorted();
}

function secretsText(secrets: ServerConfig["secrets"]): string[] {
  return Object.entries(secrets)
    .map(([variable, reference]) => `${variable} from ${referenceText(reference)}`).toSorted();
}
