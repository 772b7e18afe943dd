/**
 * Makes the container of a server, not yet started. Called by container.ts.
 *
 *     image inspect → user (user.ts) → volumes checked (bind.ts) and made (named-volume.ts)
 *                   → secrets (hand-over.ts) → create
 *
 * @module
 */
import { randomBytes } from "node:crypto";
import type Docker from "dockerode";
import * as v from "valibot";
import { GatewayError } from "../../src/errors.ts";
import type { Isolation } from "../config/isolation.ts";
import type { Limits } from "../config/limits.ts";
import type { NamedVolume, Volume } from "../config/volume.ts";
import { canUse, checkBind, type CheckedBind, thisMachine } from "./bind.ts";
import { isRefusal, QUICK_MS, SLOW_MS, unlessRefused, withDeadline } from "./deadline.ts";
import { dial } from "./dial.ts";
import type { Engine } from "./engine.ts";
import { type HandOver, prepareHandOver } from "./hand-over.ts";
import { hostConfig, type Mount, NOBODY } from "./host-config.ts";
import { inspectImage } from "./inspect.ts";
import { SERVER_LABEL } from "./label.ts";
import { readyVolumes } from "./named-volume.ts";
import { startFailure } from "./start-failure.ts";
import { createConfirmed } from "./unconfirmed.ts";
import { type ContainerUser, userOf } from "./user.ts";

/** Secrets that a container gets, in ways that `docker inspect` does not show. */
export interface HandedSecrets {
  /** Values by the name of the variable. */
  readonly variables: ReadonlyMap<string, string>;
  /** Values by the name of the variable that holds the path of a file with the value. */
  readonly files: ReadonlyMap<string, string>;
  /** Whether they may be in the container's environment, where no other way works. */
  readonly mayUseEnvironment: boolean;
}

/** A network of the engine that leads nowhere but to a proxy. */
export interface ContainerNetwork {
  readonly name: string;
  /** Addresses of its DNS servers. */
  readonly dns: readonly string[];
  /** More names for containers of the network, as `container:name`; this container alone knows them. */
  readonly links?: readonly string[];
  /** Variables that programs find the proxy by. */
  readonly env: Readonly<Record<string, string>>;
}

/** What to run. */
export interface ContainerSpec {
  /** Tag or id of an image that the engine has. */
  readonly image: string;
  /** Appended to the image's entry point; empty: the image's own command. */
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly volumes: readonly Volume[];
  readonly namedVolumes?: readonly NamedVolume[];
  readonly limits: Limits;
  /** What it is let off; nothing unless given. */
  readonly isolation?: Isolation;
  /** User in place of the image's own. */
  readonly user?: string | undefined;
  /** Present if it may reach something. */
  readonly network?: ContainerNetwork | undefined;
  readonly secrets?: HandedSecrets | undefined;
  /** See label.ts. */
  readonly labels: Readonly<Record<string, string>>;
  readonly name?: string;
  /** Longest line that the server may write, in bytes; 16 MiB if absent. */
  readonly maxLineBytes?: number;
}

/** A container that exists and does not run yet. */
export interface CreatedContainer {
  readonly container: Docker.Container;
  /** What will not be as asked: a kernel without swap limits, a volume that the server cannot use. */
  readonly warnings: readonly string[];
  /** To be written to its stdin first, if anything; holds secrets. */
  readonly input: string | undefined;
  /** To be called when it has ended. */
  release(): Promise<void>;
}

const createAnswer = v.object({ Id: v.string(), Warnings: v.nullish(v.array(v.string()), []) });

/**
 * Creates the container with every restriction of host-config.ts.
 *
 * @param init False only after the engine's own init has failed to start.
 * @throws {GatewayError} `image_missing`, `config_invalid`, `server_failed`, `engine_unavailable`.
 */
export async function createContainer(
  engine: Engine,
  spec: ContainerSpec,
  init: boolean,
): Promise<CreatedContainer> {
  const image = await inspectImage(engine, spec.image);
  if (image === undefined) throw missingImage(spec.image);
  const { isolation, network, labels } = spec;
  const user = await userOf(engine, image, spec);
  const binds = await checkBinds(engine, spec.volumes);
  const volumes = await readyVolumes(engine, spec.namedVolumes ?? [], { image, user, labels });
  const handOver = await prepareHandOver(engine, image, spec);
  const mounts = [...binds.map(({ mount }) => mount), ...volumes.mounts, ...handOver.mounts];
  const { Volumes, Env } = image.Config;
  const imageVolumes = Object.keys(Volumes);
  const secretFiles = handOver.files;
  const host = hostConfig({
    limits: spec.limits,
    mounts,
    imageVolumes,
    isolation,
    network,
    secretFiles,
  });
  const env = {
    ...homeFor(user, spec.user, Env),
    ...network?.env,
    ...spec.env,
    ...handOver.env,
  };
  try {
    const { container, warnings } = await create(engine, spec, {
      user: user.user,
      env,
      handOver,
      host: { ...host, Init: init },
    });
    return {
      container,
      warnings: [
        ...warnings,
        ...volumes.warnings,
        // Who has it is stopped by no permission bits.
        ...(user.uid === 0 && isolation?.caps.includes("DAC_OVERRIDE") === true
          ? []
          : accessWarnings(binds, user)),
        ...capabilityWarnings(isolation, user),
      ],
      input: handOver.input,
      release: handOver.release,
    };
  } catch (error) {
    await handOver.release();
    throw error;
  }
}

/** Removes a container with its anonymous volumes, running or not; one that is gone already is fine. */
export async function removeContainer(engine: Engine, id: string): Promise<void> {
  await unlessRefused(
    [404, 409],
    () =>
      withDeadline("remove a container", QUICK_MS, (abortSignal) => {
        const options = { force: true, v: true, abortSignal };
        return engine.docker.getContainer(id).remove(options);
      }),
  );
}

/** What `create` adds to the spec. */
interface Arranged {
  readonly user: string;
  readonly env: Readonly<Record<string, string>>;
  readonly handOver: HandOver;
  readonly host: Docker.HostConfig;
}

async function create(
  engine: Engine,
  spec: ContainerSpec,
  { user, env, handOver: { entrypoint, command }, host }: Arranged,
): Promise<Pick<CreatedContainer, "container" | "warnings">> {
  const { network } = spec;
  const name = spec.name ?? nameFor(spec.labels[SERVER_LABEL]);
  const body: Docker.ContainerCreateOptions = {
    Image: spec.image,
    ...(entrypoint !== undefined && { Entrypoint: [...entrypoint] }),
    // Without a command of ours the image's own stays.
    ...(command.length > 0 && { Cmd: [...command] }),
    Env: Object.entries(env).map(([name, value]) => `${name}=${value}`),
    User: user,
    Labels: { ...spec.labels },
    Tty: false,
    OpenStdin: true,
    // When our end of stdin closes, also because this process was killed, the server sees its end.
    StdinOnce: true,
    AttachStdin: true,
    AttachStdout: true,
    AttachStderr: true,
    // Health checks of an image would run programs beside the server.
    Healthcheck: { Test: ["NONE"] },
    HostConfig: host,
    ...(network?.links !== undefined && {
      NetworkingConfig: { EndpointsConfig: { [network.name]: { Links: [...network.links] } } },
    }),
  };
  try {
    const request = { method: "POST", path: "/containers/create", body } as const;
    const query = name === undefined ? {} : { name };
    const answer = await createConfirmed(engine, name, {
      create: () =>
        withDeadline(
          "create a container",
          SLOW_MS,
          (abortSignal) => dial(engine.docker, { ...request, query, abortSignal }),
        ),
      remove: (left) => removeContainer(engine, left),
    });
    const { Id, Warnings } = v.parse(createAnswer, answer);
    return { container: engine.docker.getContainer(Id), warnings: Warnings };
  } catch (error) {
    if (isRefusal(error, 404)) throw missingImage(spec.image, error);
    throw startFailure("create", spec, error);
  }
}

/** What a person sees in `docker ps`; different for each start, so that none waits for another's end. */
function nameFor(server: string | undefined): string | undefined {
  return server === undefined
    ? undefined
    : `mcp-runner-${server}-${randomBytes(3).toString("hex")}`;
}

/** A volume of the config and what was found at its path. */
interface Bind {
  readonly volume: Volume;
  readonly checked: CheckedBind;
  readonly mount: Mount;
}

async function checkBinds(engine: Engine, volumes: readonly Volume[]): Promise<readonly Bind[]> {
  const machine = thisMachine(engine.socketPath);
  return await Promise.all(volumes.map(async (volume) => {
    const checked = await checkBind(volume.hostPath, machine);
    const { containerPath: target, readOnly } = volume;
    return { volume, checked, mount: { type: "bind", source: checked.real, target, readOnly } };
  }));
}

/** A server that cannot use its volume says little more than "permission denied"; this says why. */
function accessWarnings(binds: readonly Bind[], { uid, gid }: ContainerUser): string[] {
  if (process.platform !== "linux") return [];
  const user = `${uid}:${gid}`;
  return binds
    .filter(({ volume, checked }) => !canUse(checked, user, volume.readOnly))
    .map(({ volume: { hostPath, readOnly } }) =>
      `The server runs as user ${user} and cannot ${
        readOnly ? "read" : "write to"
      } "${hostPath}": change its owner or its mode, as with "chmod -R o+${
        readOnly ? "rX" : "rwX"
      }"`
    );
}

/** Of a user other than root the kernel takes all capabilities when a program starts (capabilities(7)). */
function capabilityWarnings(isolation: Isolation | undefined, { uid }: ContainerUser): string[] {
  if (isolation === undefined || isolation.caps.length === 0 || uid === 0) return [];
  return [
    `The server runs as user ${uid}, and capabilities are of use to root alone: remove caps, or write root: true`,
  ];
}

/** A user without an account has no home, and programs then write to `/`, which is read-only. */
function homeFor(
  { user }: ContainerUser,
  asked: string | undefined,
  imageEnv: readonly string[],
): Record<string, string> {
  const named = imageEnv.some((entry) => entry.startsWith("HOME="));
  const homeless = user === NOBODY || (asked !== undefined && /^[1-9]/.test(asked));
  return homeless && !named ? { HOME: "/tmp" } : {};
}

function missingImage(reference: string, cause?: unknown): GatewayError {
  return new GatewayError(
    "image_missing",
    `Cannot start a container: the engine has no image "${reference}", run "docker pull ${reference}"`,
    { cause },
  );
}
