/**
 * How files get into images: owned by root, readable by all, writable by nobody else, and the same bytes
 * whenever and by whomever they are packed. Called by local-base.ts and package-image.ts.
 *
 * @module
 */
import type { Headers } from "tar-fs";

/** Time of every file; the epoch. */
const TIME = new Date(0);

/** A `map` of tar-fs that gives each entry the attributes that all files of our images share. */
export function normalized(header: Headers): Headers {
  return { ...header, uid: 0, gid: 0, mtime: TIME, mode: modeOf(header) };
}

function modeOf({ name, type, mode }: Headers): number {
  if (name === "tmp") return 0o1777;
  return type === "directory" || (mode & 0o100) !== 0 ? 0o755 : 0o644;
}
