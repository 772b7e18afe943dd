/**
 * From the `source` of a server to the one image that it runs as. Called by runner/launch.ts before each
 * first container of a server.
 *
 *     image:…         → there? else pulled → as pinned (pinned.ts) → signed, if it must be (signature.ts)
 *     npm:… pypi:…    → made once, then found again (package-image.ts)
 *     → pinned in mcp-runner.lock (lock.ts)
 *
 * @module
 */
import type { ContainerSource } from "../config/source.ts";
import type { Engine } from "../docker/engine.ts";
import { npmPackage } from "./npm-image.ts";
import { ensurePackageImage } from "./package-image.ts";
import { ensurePinned } from "./pinned.ts";
import { refuseForeignPlatform } from "./platform.ts";
import { withTag } from "./pull.ts";
import { pypiPackage } from "./pypi-image.ts";
import type { ImageOptions, ReadyImage } from "./ready-image.ts";
import { bareName } from "./reference.ts";
import { requireSignature } from "./signature.ts";

export type { ImageOptions, ReadyImage };

/**
 * Makes sure that the engine has the image of a server, as it was pinned. Quick and without a network if
 * it does.
 *
 * @param progress Gets one line for each step that takes long.
 * @throws {GatewayError} `image_missing` with the cause and the fix in one line; `image_changed` when it is
 *   not what was pinned; `image_untrusted` when it must be signed and is not; `config_invalid` for the lock;
 *   `engine_unavailable`.
 */
export async function ensureImage(
  engine: Engine,
  source: ContainerSource,
  progress: (line: string) => void,
  options: ImageOptions = {},
): Promise<ReadyImage> {
  switch (source.kind) {
    case "npm":
      return await ensurePackageImage(engine, npmPackage, source, progress, options);
    case "pypi":
      return await ensurePackageImage(engine, pypiPackage, source, progress, options);
    case "image":
      return await ensurePublished(engine, source.reference, progress, options);
  }
}

async function ensurePublished(
  engine: Engine,
  reference: string,
  progress: (line: string) => void,
  options: ImageOptions,
): Promise<ReadyImage> {
  const found = await ensurePinned(engine, reference, progress, options);
  const { facts, digest, isPublished, isNew } = found;
  const name = withTag(reference);
  await refuseForeignPlatform(engine, name, facts.Architecture);
  await requireSignature({ reference, digest, isPublished }, options);
  const ready: ReadyImage = {
    image: isPublished ? `${bareName(reference)}@${digest}` : facts.Id,
    name,
    id: facts.Id,
    digest,
    command: commandPrefix(facts),
  };
  await options.check?.(ready);
  if (isNew) await options.lock?.set(name, { digest });
  return ready;
}

/**
 * What arguments of the configuration are appended to. As with `docker run`, they replace the command of
 * an image that has an entry point. Without one they would be taken for the program, so the image's
 * command stays in front of them.
 */
export function commandPrefix({ Config }: {
  readonly Config: { readonly Entrypoint: readonly string[]; readonly Cmd: readonly string[] };
}): readonly string[] {
  return Config.Entrypoint.length > 0 ? [] : Config.Cmd;
}
