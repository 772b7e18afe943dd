/**
 * Makes the container of a server, not yet started. Called by container.ts.
 *
 *     image inspect → whose user? volumes? → volumes checked → create → named user root? → create again
 *
 * @module
 */
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
import { containerUser, hostConfig, type Mount, NOBODY } from "./host-config.ts";
import { inspectImage } from "./inspect.ts";
import { isNamedRoot } from "./passwd.ts";

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
}

const createAnswer = v.object({ Id: v.string(), Warnings: v.nullish(v.array(v.string()), []) });

/** Images whose user is a name that turned out to be root, by id; an id never changes its content. */
const namedRoot = new Map<string, boolean>();

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
  const machine = thisMachine(engine.socketPath);
  const binds = await Promise.all(
    spec.volumes.map(async (volume) => ({
      volume,
      checked: await checkBind(volume.hostPath, machine),
    })),
  );
  const mounts = binds.map(({ volume: { containerPath, readOnly }, checked }): Mount => ({
    source: checked.real,
    target: containerPath,
    readOnly,
  }));
  const { User, Volumes, Env } = image.Config;
  const host = {
    ...hostConfig({ limits: spec.limits, mounts, imageVolumes: Object.keys(Volumes) }),
    Init: init,
  };
  const make = async (user: string): Promise<CreatedContainer> => {
    const { container, warnings } = await create(engine, spec, user, Env, host);
    return { container, warnings: [...warnings, ...accessWarnings(binds, user)] };
  };

  const user = namedRoot.get(image.Id) ? NOBODY : containerUser(User);
  const created = await make(user);
  const name = user.split(":")[0] ?? "";
  if (/^\d+$/.test(name) || namedRoot.has(image.Id)) return created;

  const isRoot = await isNamedRoot(engine, created.container.id, name);
  namedRoot.set(image.Id, isRoot);
  if (!isRoot) return created;
  await removeContainer(engine, created.container.id);
  return await make(NOBODY);
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

async function create(
  engine: Engine,
  spec: ContainerSpec,
  user: string,
  imageEnv: readonly string[],
  host: Docker.HostConfig,
): Promise<CreatedContainer> {
  const env = { ...homeFor(user, imageEnv), ...spec.env };
  const body: Docker.ContainerCreateOptions = {
    Image: spec.image,
    // Without a command of ours the image's own stays.
    ...(spec.command.length > 0 ? { Cmd: [...spec.command] } : {}),
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
  };
  try {
    const answer = await withDeadline(
      "create a container",
      SLOW_MS,
      (abortSignal) =>
        dial(engine.docker, {
          method: "POST",
          path: "/containers/create",
          query: spec.name === undefined ? {} : { name: spec.name },
          body,
          abortSignal,
        }),
    );
    const { Id, Warnings } = v.parse(createAnswer, answer);
    return { container: engine.docker.getContainer(Id), warnings: Warnings };
  } catch (error) {
    if (isRefusal(error, 404)) throw missingImage(spec.image, error);
    if (!isRefusal(error)) throw error;
    throw new GatewayError(
      "server_failed",
      `Cannot create a container of image "${spec.image}": ${error.reason}`,
      { cause: error },
    );
  }
}

/** A server that cannot use its volume says little more than "permission denied"; this says why. */
function accessWarnings(
  binds: readonly { readonly volume: Volume; readonly checked: CheckedBind }[],
  user: string,
): string[] {
  if (process.platform !== "linux" || !/^\d+(:\d+)?$/.test(user)) return [];
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

/** A user without an account has no home, and programs then write to `/`, which is read-only. */
function homeFor(user: string, imageEnv: readonly string[]): Record<string, string> {
  const named = imageEnv.some((entry) => entry.startsWith("HOME="));
  return user === NOBODY && !named ? { HOME: "/tmp" } : {};
}

function missingImage(reference: string, cause?: unknown): GatewayError {
  return new GatewayError(
    "image_missing",
    `Cannot start a container: the engine has no image "${reference}", run "docker pull ${reference}"`,
    { cause },
  );
}
