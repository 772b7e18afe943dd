import type { Pin } from "./lock.ts";
import { imageChanged, writeDrift } from "./pinned.ts";
import type { ImageOptions } from "./ready-image.ts";
import { shortDigest } from "./reference.ts";

/** A package that was pinned and is installed. */
export interface PinnedPackage {
  /** For messages, as `npm package "notes"`. */
  readonly what: string;
  readonly pin: Pin;
  readonly found: Pin;
  /** Tag of its image. */
  readonly tag: string;
}

/** Drifts that were told, so that each start does not repeat them. */
const told = new Set<string>();

/**
 * Compares a package with what was pinned. Other files of what it depends on are told and no reason not to
 * start: they differ by platform, too, and an approval is for all files.
 *
 * @throws {GatewayError} `image_changed` when its own archive is another under the same version.
 */
export function refuseDrift({ what, pin, found, tag }: PinnedPackage, options: ImageOptions): void {
  const byArchive = pin.integrity !== undefined && found.integrity !== undefined;
  const [before, now] = byArchive
    ? [pin.integrity, found.integrity]
    : [shortDigest(pin.digest), shortDigest(found.digest)];
  if (before !== undefined && now !== undefined && before !== now) {
    const error = imageChanged(what, before.slice(0, 24), now.slice(0, 24), options);
    writeDrift(tag, error.message, options);
    throw error;
  }
  if (found.digest === pin.digest) return;
  const digests = `${shortDigest(found.digest)}, was ${shortDigest(pin.digest)}`;
  const message =
    `${what} is as it was pinned, and what it depends on is not (${digests}): that is newer, or for another platform`;
  if (told.has(message)) return;
  told.add(message);
  options.warn?.(message);
  writeDrift(tag, message, options);
}
