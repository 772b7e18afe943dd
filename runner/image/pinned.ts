/**
 * From the reference of an image to the one image that it stands for: what was pinned when it was first
 * used, wherever its tag leads by now. Called by image.ts.
 *
 *     name@sha256:…        → that, pulled if missing
 *     tag without a pin    → what the tag leads to, pulled if missing → to be pinned
 *     tag with a pin       → the same                → it
 *                          → another, pinned is here → the pinned one, and a warning
 *                          → pinned is at its registry → pulled by its digest
 *                          → pinned is gone          → image_changed
 *
 * @module
 */
import { GatewayError } from "../../src/errors.ts";
import type { Engine } from "../docker/engine.ts";
import { type ImageFacts, inspectImage } from "../docker/inspect.ts";
import { isLocalName } from "./local-image.ts";
import { isAbsent, withTag } from "./pull.ts";
import { queuePull } from "./pull-queue.ts";
import type { ImageOptions } from "./ready-image.ts";
import { bareName, fullName, parseImageName, shortDigest } from "./reference.ts";

/** The image that a reference stands for. */
export interface PinnedImage {
  readonly facts: ImageFacts;
  /** `sha256:…` of the manifest, or the id of an image that is from no registry. */
  readonly digest: string;
  /** Whether the registry knows it by `digest`. */
  readonly isPublished: boolean;
  /** Whether the lock does not have it yet. */
  readonly isNew: boolean;
}

/**
 * Finds or pulls the image. Does not write the lock.
 *
 * @throws {GatewayError} `image_missing`, `image_changed` or `engine_unavailable`.
 */
export async function ensurePinned(
  engine: Engine,
  reference: string,
  progress: (line: string) => void,
  options: ImageOptions,
): Promise<PinnedImage> {
  const name = bareName(reference);
  const pull = (what: string) => pulled(engine, what, progress, options);
  const written = parseImageName(reference).digest;
  if (written !== undefined) {
    const exact = `${name}@${written}`;
    const facts = await inspectImage(engine, exact) ?? await pull(exact);
    return { facts, digest: written, isPublished: true, isNew: false };
  }

  const tagged = withTag(reference);
  const pin = options.accept ? undefined : options.lock?.get(tagged);
  let facts = await inspectImage(engine, tagged);
  if (pin === undefined) {
    facts ??= await pull(tagged);
    const [published] = digestsOf(tagged, facts);
    const digest = published ?? facts.Id;
    return { facts, digest, isPublished: published !== undefined, isNew: true };
  }
  const { digest } = pin;
  const asPinned = (found: ImageFacts): PinnedImage => {
    const isPublished = digestsOf(tagged, found).includes(digest);
    return { facts: found, digest, isPublished, isNew: false };
  };
  if (facts !== undefined && isThat(tagged, facts, digest)) return asPinned(facts);

  const exact = `${name}@${digest}`;
  const kept = await inspectImage(engine, exact) ?? await inspectImage(engine, digest) ??
    await pull(exact).catch((error: unknown) => {
      // The registry has it no more, or never had it.
      if (isAbsent(error)) return undefined;
      // What the tag leads to is here and may not run; that it has changed is the answer.
      const isMissing = error instanceof GatewayError && error.code === "image_missing";
      if (facts !== undefined && isMissing) return undefined;
      throw error;
    });
  if (kept !== undefined) {
    if (facts !== undefined) tellMoved(tagged, digest, facts, options);
    return asPinned(kept);
  }
  facts ??= await pull(tagged);
  if (isThat(tagged, facts, digest)) return asPinned(facts);
  throw changed(tagged, digest, facts, options);
}

/** Digests by which the registry of `reference` has the image. */
function digestsOf(reference: string, { RepoDigests }: ImageFacts): string[] {
  const name = fullName(reference);
  return RepoDigests
    .filter((known) => fullName(known) === name)
    .flatMap((known) => parseImageName(known).digest ?? []);
}

function isThat(reference: string, facts: ImageFacts, digest: string): boolean {
  return facts.Id === digest || digestsOf(reference, facts).includes(digest);
}

async function pulled(
  engine: Engine,
  reference: string,
  progress: (line: string) => void,
  { offline, journal, server }: ImageOptions,
): Promise<ImageFacts> {
  if (offline) {
    throw new GatewayError(
      "image_missing",
      `Cannot use image "${reference}": the engine does not have it, and nothing is to be fetched, try "docker pull ${reference}" with a network`,
    );
  }
  if (isLocalName(reference)) {
    throw new GatewayError(
      "image_missing",
      `Cannot pull image "${reference}": names of mcp-runner/ are for images that are made here, correct the source`,
    );
  }
  const started = performance.now();
  await queuePull(engine, reference, progress);
  const facts = await inspectImage(engine, reference);
  if (facts === undefined) {
    throw new GatewayError(
      "image_missing",
      `Cannot use image "${reference}": the engine has pulled it and does not have it, try "docker pull ${reference}"`,
    );
  }
  if (server !== undefined) {
    const ms = Math.round(performance.now() - started);
    journal?.write({ type: "pull", server, image: reference, ms });
  }
  return facts;
}

/** Drifts that were told, so that each start does not repeat them. */
const told = new Set<string>();

function tellMoved(
  reference: string,
  digest: string,
  facts: ImageFacts,
  options: ImageOptions,
): void {
  const now = digestsOf(reference, facts)[0] ?? facts.Id;
  const key = `${reference} ${digest} ${now}`;
  if (told.has(key)) return;
  told.add(key);
  const message = `Image "${reference}" now leads to ${shortDigest(now)}; the approved ${
    shortDigest(digest)
  } goes on running, ${approveCommand(options)} accepts the new one`;
  options.warn?.(message);
  writeDrift(reference, message, options);
}

function changed(
  reference: string,
  digest: string,
  facts: ImageFacts,
  options: ImageOptions,
): GatewayError {
  const now = digestsOf(reference, facts)[0] ?? facts.Id;
  const error = imageChanged(
    `image "${reference}"`,
    shortDigest(digest),
    shortDigest(now),
    options,
  );
  writeDrift(reference, error.message, options);
  return error;
}

/** The error for what is no longer what was pinned; `before` and `now` tell them apart. */
export function imageChanged(
  what: string,
  before: string,
  now: string,
  options: ImageOptions,
): GatewayError {
  return new GatewayError(
    "image_changed",
    `Cannot start ${what}: it was ${before} when it was pinned and is ${now} now, ${
      approveCommand(options)
    } accepts it`,
  );
}

/** Writes a drift into the journal, of a server that is known. */
export function writeDrift(
  image: string,
  message: string,
  { journal, server }: ImageOptions,
): void {
  if (server !== undefined) journal?.write({ type: "drift", server, image, message });
}

function approveCommand({ server }: ImageOptions): string {
  return `"mcp-runner approve ${server ?? "<server>"}"`;
}
