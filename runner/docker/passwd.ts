/**
 * Whether a user that an image names is root. `USER app` says nothing: `/etc/passwd` of the image decides,
 * and the image is not trusted. Called by create.ts for images whose user is a name.
 *
 * @module
 */
import { buffer } from "node:stream/consumers";
import { isRefusal, QUICK_MS, withDeadline } from "./deadline.ts";
import type { Engine } from "./engine.ts";

/** Bytes of a tar header, and the unit to which contents are padded. */
const TAR_BLOCK = 512;

/**
 * Whether `user` has the number 0 in `/etc/passwd` of a container that need not run. A user that the file
 * does not list counts as root: nobody can tell who it is.
 */
export async function isNamedRoot(
  engine: Engine,
  containerId: string,
  user: string,
): Promise<boolean> {
  const container = engine.docker.getContainer(containerId);
  let archive: Uint8Array;
  try {
    archive = await withDeadline("read the users of the image", QUICK_MS, async (abortSignal) => {
      const options = { path: "/etc/passwd", abortSignal };
      return await buffer(await container.getArchive(options));
    });
  } catch (error) {
    if (isRefusal(error, 404)) return true;
    throw error;
  }
  return userNumber(firstFile(archive), user) === 0;
}

/** Number of `user` in the text of a passwd file (passwd(5)); 0, root, if the file does not list it. */
export function userNumber(passwd: string, user: string): number {
  const line = passwd.split("\n").find((line) => line.startsWith(`${user}:`));
  const number = line?.split(":")[2] ?? "";
  return /^\d+$/.test(number) ? Number(number) : 0;
}

/** Text of the first file in a tar archive; of a symlink, which has no content, the empty text. */
function firstFile(archive: Uint8Array): string {
  const text = new TextDecoder();
  // POSIX ustar: the size is octal, 12 bytes at offset 124.
  const size = parseInt(text.decode(archive.subarray(124, 136)), 8) || 0;
  return text.decode(archive.subarray(TAR_BLOCK, TAR_BLOCK + size));
}
