/**
 * Files of containers that need not run, read and made through the engine's archive endpoints: nothing of
 * an image that nobody trusts is executed for it. Called by image-traits.ts and named-volume.ts.
 *
 *     stat → is it there, is it a link?      GET → its first bytes in a tar      PUT → a folder's owner
 *
 * @module
 */
import type { IncomingMessage } from "node:http";
import type { Readable } from "node:stream";
import * as v from "valibot";
import { isRefusal, QUICK_MS, withDeadline } from "./deadline.ts";
import type { Engine } from "./engine.ts";

/** Bytes of a tar header, and the unit to which contents are padded (POSIX pax, ustar). */
const TAR_BLOCK = 512;

/** The first entry of a tar archive. */
export interface Entry {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** What is there of its content. */
  readonly content: Uint8Array;
}

/** A file of a container by its path. */
export interface Place {
  readonly containerId: string;
  readonly path: string;
}

/** Bit of Go's `FileMode` for a symlink. */
const GO_SYMLINK = 2 ** 27;

const statAnswer = v.pipe(
  v.string(),
  v.transform((text) => Buffer.from(text, "base64").toString()),
  v.parseJson(),
  v.object({ mode: v.number(), linkTarget: v.nullish(v.string(), "") }),
);

/** Whether there is a file, or a link to one, at `path`. */
export async function fileExists(
  engine: Engine,
  { containerId, path }: Place,
  followLink = true,
): Promise<boolean> {
  const container = engine.docker.getContainer(containerId);
  try {
    const answer = await withDeadline(
      "look at a file of the image",
      QUICK_MS,
      (abortSignal) => container.infoArchive({ path, abortSignal }),
    ) as IncomingMessage;
    // It has no body, and yet its connection stays open until somebody says so.
    answer.destroy();
    const { mode, linkTarget } = v.parse(
      statAnswer,
      answer.headers["x-docker-container-path-stat"],
    );
    const isLink = Math.floor(mode / GO_SYMLINK) % 2 === 1;
    if (!isLink) return true;
    // The engine follows a chain of links at once and tells its end.
    return followLink && linkTarget !== path &&
      await fileExists(engine, { containerId, path: linkTarget }, false);
  } catch (error) {
    if (isRefusal(error, 404)) return false;
    throw error;
  }
}

/**
 * The file or folder at `path` with its first bytes, or `undefined` if there is none. Of a folder only the
 * owner and the mode are of use.
 *
 * @param maxBytes How much of the archive is read; what is longer is cut.
 */
export async function readEntry(
  engine: Engine,
  { containerId, path }: Place,
  maxBytes: number,
): Promise<Entry | undefined> {
  const container = engine.docker.getContainer(containerId);
  try {
    return await withDeadline("read a file of the image", QUICK_MS, async (abortSignal) => {
      const options = { path, abortSignal };
      return firstEntry(await readStart(await container.getArchive(options) as Readable, maxBytes));
    });
  } catch (error) {
    if (isRefusal(error, 404)) return undefined;
    throw error;
  }
}

/**
 * Gives a folder of a container another owner, and mode 0755. The container must not have a read-only root.
 *
 * @param path Absolute, without `..`.
 */
export async function ownFolder(
  engine: Engine,
  { containerId, path }: Place,
  { uid, gid }: { readonly uid: number; readonly gid: number },
): Promise<void> {
  const tar = folderArchive(path.slice(1), uid, gid);
  await withDeadline(
    "give a volume to its server",
    QUICK_MS,
    (abortSignal) =>
      engine.docker.getContainer(containerId).putArchive(Buffer.from(tar), {
        path: "/",
        abortSignal,
      }),
  );
}

/** The first entry of a tar archive, of which perhaps only the start is there. */
export function firstEntry(archive: Uint8Array): Entry | undefined {
  const text = new TextDecoder();
  const octal = (start: number, end: number) =>
    parseInt(text.decode(archive.subarray(start, end)), 8) || 0;
  // POSIX pax: `x` and `g` are about the entry that follows.
  for (let at = 0; at + TAR_BLOCK <= archive.length;) {
    const size = octal(at + 124, at + 136);
    const type = String.fromCharCode(archive[at + 156] ?? 0);
    const start = at + TAR_BLOCK;
    if (type !== "x" && type !== "g") {
      return {
        mode: octal(at + 100, at + 108),
        uid: octal(at + 108, at + 116),
        gid: octal(at + 116, at + 124),
        content: archive.subarray(start, start + size),
      };
    }
    at = start + Math.ceil(size / TAR_BLOCK) * TAR_BLOCK;
  }
  return undefined;
}

/** A tar archive that holds one folder and nothing in it. */
export function folderArchive(path: string, uid: number, gid: number): Uint8Array {
  // The header, and two empty blocks for the end.
  const archive = new Uint8Array(3 * TAR_BLOCK);
  const put = (text: string, at: number) => archive.set(new TextEncoder().encode(text), at);
  const octal = (value: number, digits: number) => value.toString(8).padStart(digits, "0");
  // POSIX ustar: a name of 100 bytes, behind a prefix of 155.
  const name = `${path}/`;
  const cut = name.length <= 100 ? 0 : name.indexOf("/", name.length - 101) + 1;
  put(name.slice(cut), 0);
  put(octal(0o755, 7), 100);
  put(octal(uid, 7), 108);
  put(octal(gid, 7), 116);
  put(octal(0, 11), 124);
  put(octal(0, 11), 136);
  // The checksum counts its own field as blanks.
  put("        5", 148);
  put("ustar\u000000", 257);
  put(name.slice(0, Math.max(0, cut - 1)), 345);
  const sum = archive.subarray(0, TAR_BLOCK).reduce((total, byte) => total + byte, 0);
  put(`${octal(sum, 6)}\0 `, 148);
  return archive;
}

async function readStart(stream: Readable, maxBytes: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of stream as AsyncIterable<Uint8Array>) {
    chunks.push(chunk);
    length += chunk.length;
    if (length >= maxBytes) break;
  }
  return Buffer.concat(chunks).subarray(0, maxBytes);
}
