import { randomBytes } from "node:crypto";
import { rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Longest path of a unix socket on macOS; Linux allows three bytes more. */
const MAX_PATH_BYTES = 103;

/**
 * Runs `use` with a path to the socket `name` in `directory` that the system accepts. When the real path
 * is too long, it leads through a symlink in a short directory that lasts as long as `use`: the socket is
 * in `directory` all the same, where every process finds it, whatever its own temporary directory is.
 */
export async function withSocketPath<T>(
  directory: string,
  name: string,
  use: (path: string) => Promise<T>,
): Promise<T> {
  const direct = join(directory, name);
  if (fits(direct)) return await use(direct);
  const link = `mr${randomBytes(6).toString("base64url")}`;
  const short = [tmpdir(), "/tmp"].map((parent) => join(parent, link));
  const path = short.find((it) => fits(join(it, name))) ?? join("/tmp", link);
  // Fails if the name exists, so that nobody can lead us elsewhere.
  await symlink(directory, path);
  try {
    return await use(join(path, name));
  } finally {
    await rm(path, { force: true });
  }
}

function fits(path: string): boolean {
  return new TextEncoder().encode(path).length <= MAX_PATH_BYTES;
}
