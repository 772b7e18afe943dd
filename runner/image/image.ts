/**
 * From the `source` of a server to an image that the engine can run. Called by runner/server before the
 * first container of a server.
 *
 *     image:… → there? else pulled            (pull.ts)
 *     npm:…   → made once, then found again   (npm-image.ts)
 *
 * @module
 */
import { GatewayError } from "../../src/errors.ts";
import type { ContainerSource } from "../config/source.ts";
import type { Engine } from "../docker/engine.ts";
import { type ImageFacts, inspectImage } from "../docker/inspect.ts";
import { ensureNpmImage } from "./npm-image.ts";
import { pullImage, withTag } from "./pull.ts";

/** An image that the engine has. */
export interface ReadyImage {
  /** Its tag, for containers and for messages. */
  readonly image: string;
  /** Another one when what is inside is: the id, or a tag of ours that holds a hash. */
  readonly id: string;
  /**
   * What to put before the arguments of the configuration. If there are none either, the image's own
   * command is used.
   */
  readonly command: readonly string[];
}

/**
 * Makes sure that the engine has the image of a server. Quick and without a network if it does.
 *
 * @param progress Gets one line for each step that takes long.
 * @throws {GatewayError} `image_missing` with the cause and the fix in one line; `engine_unavailable`.
 */
export async function ensureImage(
  engine: Engine,
  source: ContainerSource,
  progress: (line: string) => void,
): Promise<ReadyImage> {
  switch (source.kind) {
    case "npm": {
      const image = await ensureNpmImage(engine, source, progress);
      return { image, id: image, command: [] };
    }
    case "pypi":
      throw new TypeError("Not yet");
    case "image": {
      const image = withTag(source.reference);
      const facts = await inspectImage(engine, image) ?? await pulled(engine, image, progress);
      return { image, id: facts.Id, command: commandPrefix(facts) };
    }
  }
}

async function pulled(
  engine: Engine,
  image: string,
  progress: (line: string) => void,
): Promise<ImageFacts> {
  await pullImage(engine, image, progress);
  const facts = await inspectImage(engine, image);
  if (facts !== undefined) return facts;
  throw new GatewayError(
    "image_missing",
    `Cannot use image "${image}": the engine has pulled it and does not have it, try "docker pull ${image}"`,
  );
}

/**
 * What arguments of the configuration are appended to. As with `docker run`, they replace the command of
 * an image that has an entry point. Without one they would be taken for the program, so the image's
 * command stays in front of them.
 */
export function commandPrefix({ Config }: Pick<ImageFacts, "Config">): readonly string[] {
  return Config.Entrypoint.length > 0 ? [] : Config.Cmd;
}
