/**
 * Images that are made here, each once: found again by its recipe, without a network. Called by
 * base-image.ts and package-image.ts.
 *
 *     recipe → findLocalImage → tag
 *            → make, untagged → tag it, unless someone was faster → remove those without a tag
 *
 * Two runners may make the same image at once. Both are equal; the last to tag wins, and what has no tag
 * then is removed.
 *
 * @module
 */
import { createHash } from "node:crypto";
import * as v from "valibot";
import { GatewayError } from "../../src/errors.ts";
import { QUICK_MS, SLOW_MS, unlessRefused, withDeadline } from "../docker/deadline.ts";
import type { Engine } from "../docker/engine.ts";
import { IMAGE_LABEL } from "../docker/label.ts";
import { fullName } from "./reference.ts";

/** Every local image has this as the first part of its name. */
const NAMESPACE = "mcp-runner";

/**
 * Whether an image of this name would be taken for one that was made here, which is known by its name and
 * by a label that its author can write. Such images are not pulled.
 */
export function isLocalName(reference: string): boolean {
  return /^(?:docker\.io|localhost)\/mcp-runner\//.test(fullName(reference).toLowerCase());
}

const listAnswer = v.array(v.object({
  Id: v.string(),
  RepoTags: v.nullish(v.array(v.string()), []),
}));

/** Name of a local image: what it is made from decides whether an old one serves. */
export interface Recipe {
  /** Last part of the image's name, as `npm-server-everything`. */
  readonly name: string;
  /** Hash of everything that goes in, as far as it is known without a network. */
  readonly hash: string;
}

/** A recipe whose hash stands for `ingredients`; the order counts. */
export function recipe(name: string, ...ingredients: readonly string[]): Recipe {
  const hash = createHash("sha256").update(JSON.stringify(ingredients)).digest("hex").slice(0, 12);
  return { name, hash };
}

/**
 * Labels that an image of this recipe must carry to be found again. They are to be set last: what carries
 * them and has no tag counts as finished, and may be removed.
 */
export function recipeLabels({ hash }: Recipe): Record<string, string> {
  return { [IMAGE_LABEL]: hash };
}

/** An image that was made here. */
export interface LocalImage {
  readonly id: string;
  readonly tag: string;
}

/**
 * The image that was made by this recipe, if the engine has it. Its name must be one of ours too: a label
 * alone could be on any image that was pulled.
 */
export async function findLocalImage(
  { docker }: Engine,
  { name, hash }: Recipe,
): Promise<LocalImage | undefined> {
  const filters = { label: [`${IMAGE_LABEL}=${hash}`] };
  const answer = await withDeadline(
    "list images",
    QUICK_MS,
    (abortSignal) => docker.listImages({ filters, abortSignal }),
  );
  return v.parse(listAnswer, answer)
    .flatMap(({ Id, RepoTags }) => RepoTags.map((tag) => ({ id: Id, tag })))
    // Podman puts its name for "no registry" in front.
    .find(({ tag }) => tag.replace(/^localhost\//, "").startsWith(`${NAMESPACE}/${name}:`));
}

/**
 * Gives the image with this id its name, unless another runner was faster.
 *
 * @param version First part of the tag.
 * @returns The image to use.
 */
export async function tagLocalImage(
  engine: Engine,
  made: Recipe,
  id: string,
  version: string,
): Promise<LocalImage> {
  const repo = `${NAMESPACE}/${made.name}`;
  const tag = `${version.replace(/[^\w.-]/g, "_").slice(0, 100)}-${made.hash}`;
  if (await findLocalImage(engine, made) === undefined) {
    // 404: another runner has tagged its own just now, and removed ours.
    await unlessRefused(
      [404],
      () =>
        withDeadline(
          "tag an image",
          QUICK_MS,
          (abortSignal) => engine.docker.getImage(id).tag({ repo, tag, abortSignal }),
        ),
    );
  }
  const winner = await findLocalImage(engine, made);
  if (winner === undefined) {
    throw new GatewayError(
      "image_missing",
      `Cannot use image "${repo}:${tag}": it was removed while it was made, try again`,
    );
  }
  await removeUntagged(engine, made);
  return winner;
}

/** Removes finished images of the recipe that lost the race; those in use stay. */
async function removeUntagged({ docker }: Engine, { hash }: Recipe): Promise<void> {
  const filters = { label: [`${IMAGE_LABEL}=${hash}`], dangling: ["true"] };
  const answer = await withDeadline(
    "list images",
    QUICK_MS,
    (abortSignal) => docker.listImages({ filters, abortSignal }),
  );
  for (const { Id } of v.parse(listAnswer, answer)) {
    // 500: an engine in which two remove it at once has lost it under the hands of one. None of these
    // keeps a server from starting.
    await unlessRefused(
      [404, 409, 500],
      () =>
        withDeadline("remove an image", SLOW_MS, (abortSignal) => {
          const options = { abortSignal };
          return docker.getImage(Id).remove(options);
        }),
    );
  }
}

const inProgress = new Map<string, Promise<unknown>>();

/**
 * Runs `make` after those that this process already runs under the same key, so that the second of two
 * servers from one package finds the image of the first.
 */
export async function inTurn<T>(key: string, make: () => Promise<T>): Promise<T> {
  for (;;) {
    const running = inProgress.get(key);
    if (running === undefined) break;
    // Its failure is its caller's; this caller tries for itself.
    await running.catch(() => {});
  }
  const mine = make();
  inProgress.set(key, mine);
  try {
    return await mine;
  } finally {
    inProgress.delete(key);
  }
}
