/**
 * Chooses how the secrets of a server get into its container. Called by create.ts.
 *
 *     the image has /bin/sh → through its input (shim.ts), variables and files
 *     it has none           → files: a folder of this machine (secret-folder.ts)
 *                             variables: its environment, only if the config allows it
 *
 * @module
 */
import { GatewayError } from "../../src/errors.ts";
import type { ContainerSpec } from "./create.ts";
import type { Engine } from "./engine.ts";
import type { Mount } from "./host-config.ts";
import { traitsOf } from "./image-traits.ts";
import type { ImageFacts } from "./inspect.ts";
import { OWNER_LABEL } from "./label.ts";
import { makeSecretFolder } from "./secret-folder.ts";
import { checkSecrets, commandOf, handOver, hasSecrets, SECRETS_PATH, SHIM } from "./shim.ts";

/** What a container needs in order to get its secrets. */
export interface HandOver {
  /** In place of the image's own, if any. */
  readonly entrypoint?: readonly string[];
  /** Arguments in place of the image's own, if any. */
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly mounts: readonly Mount[];
  /** Whether the shim writes files. */
  readonly files: boolean;
  /** To be written to stdin before anything else, in one piece. */
  readonly input?: string;
  /** Removes what is on this machine, once the container has ended. */
  release(): Promise<void>;
}

const nothing = async () => {};

/**
 * Prepares the hand-over.
 *
 * @throws {GatewayError} `config_invalid`, or `server_failed` when no way is allowed that works.
 */
export async function prepareHandOver(
  engine: Engine,
  image: ImageFacts,
  { command, secrets, labels }: ContainerSpec,
): Promise<HandOver> {
  const plain = { command, env: {}, mounts: [], files: false, release: nothing };
  if (!hasSecrets(secrets)) return plain;
  checkSecrets(secrets);
  const { variables, files, mayUseEnvironment } = secrets;
  if ((await traitsOf(engine, image, labels)).shell) {
    return {
      ...plain,
      entrypoint: SHIM,
      command: commandOf(image.Config, command),
      files: files.size > 0,
      input: handOver(secrets),
    };
  }
  if (variables.size > 0 && !mayUseEnvironment) throw noWay([...variables.keys()]);
  const paths = [...files.keys()].map((name) => [name, `${SECRETS_PATH}/${name}`] as const);
  const env = Object.fromEntries([...variables, ...paths]);
  if (files.size === 0) return { ...plain, env };
  const { path, release } = await makeSecretFolder(labels[OWNER_LABEL] ?? "nobody", files);
  const mount: Mount = { type: "bind", source: path, target: SECRETS_PATH, readOnly: true };
  return { ...plain, env, mounts: [mount], release };
}

/** The image has no shell, and what needs none was not allowed. */
export function noWay(names: readonly string[]): GatewayError {
  return new GatewayError(
    "server_failed",
    `Cannot hand over ${
      names.join(", ")
    }: there is no /bin/sh to take them, let the server read them from files (secretFiles), or write allowEnvSecrets: true, and whoever may use the engine can see them`,
  );
}
