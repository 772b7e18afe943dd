/**
 * Reads the call log of all processes as one, by time, as it grows: each pass gives what has come since the
 * one before, wherever files were moved meanwhile. One chunk of each file is in memory at a time.
 *
 * @module
 */
import { type FileHandle, open } from "node:fs/promises";
import { join } from "node:path";
import { type JournalLine, readLine } from "./read-line.ts";
import { journalFiles } from "./folder.ts";

/** Bytes read at a time. */
const CHUNK_BYTES = 256 * 1024;

/** Bytes in which the last line of a file is looked for. */
const TAIL_BYTES = 16 * 1024;

/** Longest line, in bytes: far above what is written. */
const MAX_LINE_BYTES = 256 * 1024;

const LINE_FEED = 0x0a;

/** The call log in one folder. */
export class JournalReader {
  readonly #folder: string;
  /** Bytes that were read, by what the file system calls the file: names change. */
  #read: ReadonlyMap<string, number> = new Map();
  /** The same after the pass before: a file that was just moved may escape one pass, but not two. */
  #readBefore: ReadonlyMap<string, number> = new Map();
  #damaged = 0;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Lines that could not be read: cut off when a process was killed or a disk was full, or no events. */
  get damaged(): number {
    return this.#damaged;
  }

  /**
   * What has come since the last pass, the oldest first, in bunches. A line without its end is left for the
   * next pass.
   *
   * @param since Milliseconds since the epoch: files that end before are left out.
   */
  async *news(since = -Infinity): AsyncGenerator<readonly JournalLine[]> {
    const sources: Source[] = [];
    const read = new Map<string, number>();
    try {
      const seen = new Set<string>();
      // Files are moved while the folder is read: what was not found the first time has its new name then.
      for (let looks = 0; looks < 2; looks++) {
        for (const name of await journalFiles(this.#folder)) {
          if (seen.has(name)) continue;
          seen.add(name);
          const source = await this.#open(join(this.#folder, name), since);
          if (source === undefined) continue;
          if (read.has(source.key)) await source.close();
          else sources.push(source);
          read.set(source.key, source.at);
        }
      }
      yield* merge(sources);
    } finally {
      for (const source of sources) {
        read.set(source.key, source.at);
        this.#damaged += source.damaged;
        await source.close();
      }
      this.#readBefore = this.#read;
      this.#read = read;
    }
  }

  async #open(path: string, since: number): Promise<Source | undefined> {
    let handle: FileHandle;
    try {
      handle = await open(path, "r");
    } catch (error) {
      // Moved or removed since the folder was read: the next pass finds it if it still is.
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
      throw error;
    }
    const { dev, ino, size } = await handle.stat();
    const key = `${dev}:${ino}`;
    const before = this.#read.get(key) ?? this.#readBefore.get(key) ?? 0;
    // A shorter file is another one with the number of one that was removed.
    const at = before > size ? 0 : before;
    const over = since > -Infinity && await lastTime(handle, size) < since;
    return new Source(handle, { key, at: over ? size : at });
  }
}

/** When the last event of a file happened; infinity if its last lines do not say so. */
async function lastTime(handle: FileHandle, size: number): Promise<number> {
  const end = new Uint8Array(TAIL_BYTES);
  const { bytesRead } = await handle.read(end, 0, TAIL_BYTES, Math.max(0, size - TAIL_BYTES));
  const lines = new TextDecoder().decode(end.subarray(0, bytesRead)).trimEnd().split("\n");
  return readLine(lines.at(-1) ?? "")?.time ?? Infinity;
}

/** The lines of one file, one chunk at a time. */
class Source {
  readonly key: string;
  /** Bytes of whole lines that were read. */
  at: number;
  damaged = 0;
  readonly #handle: FileHandle;
  #lines: readonly JournalLine[] = [];
  #next = 0;
  /** In the middle of a line that is too long. */
  #skipping = false;

  constructor(handle: FileHandle, { key, at }: { readonly key: string; readonly at: number }) {
    this.#handle = handle;
    this.key = key;
    this.at = at;
  }

  /** The first line that was not taken; undefined at the end of the chunk. */
  get head(): JournalLine | undefined {
    return this.#lines[this.#next];
  }

  take(): void {
    this.#next++;
  }

  /** Reads on until there is a head; false at the end. */
  async fill(): Promise<boolean> {
    while (this.head === undefined) {
      const chunk = new Uint8Array(CHUNK_BYTES);
      const { bytesRead } = await this.#handle.read(chunk, 0, CHUNK_BYTES, this.at);
      if (bytesRead === 0 || !this.#split(chunk.subarray(0, bytesRead))) return false;
    }
    return true;
  }

  async close(): Promise<void> {
    await this.#handle.close();
  }

  /** Takes the whole lines of a chunk; false if it has none. */
  #split(chunk: Uint8Array): boolean {
    const last = chunk.lastIndexOf(LINE_FEED);
    if (last < 0) {
      if (chunk.length < MAX_LINE_BYTES) return false;
      this.#skipping = true;
      this.at += chunk.length;
      return true;
    }
    const texts = new TextDecoder().decode(chunk.subarray(0, last)).split("\n");
    this.at += last + 1;
    const lines: JournalLine[] = [];
    for (const [n, text] of texts.entries()) {
      const cut = this.#skipping && n === 0;
      if (text === "" && !cut) continue;
      const line = cut ? undefined : readLine(text);
      if (line === undefined) this.damaged++;
      else lines.push(line);
    }
    this.#skipping = false;
    this.#lines = lines;
    this.#next = 0;
    return true;
  }
}

/** The lines of all sources by time; those of one source stay in their order. */
async function* merge(sources: readonly Source[]): AsyncGenerator<readonly JournalLine[]> {
  const open = new Set<Source>();
  for (const source of sources) if (await source.fill()) open.add(source);
  while (open.size > 0) {
    const bunch: JournalLine[] = [];
    let empty: Source | undefined;
    while (empty === undefined) {
      const [first, line] = oldest(open);
      bunch.push(line);
      first.take();
      if (first.head === undefined) empty = first;
    }
    yield bunch;
    if (!await empty.fill()) open.delete(empty);
  }
}

function oldest(sources: ReadonlySet<Source>): readonly [Source, JournalLine] {
  let found: readonly [Source, JournalLine] | undefined;
  for (const source of sources) {
    const { head } = source;
    if (head !== undefined && (found === undefined || head.time < found[1].time)) {
      found = [source, head];
    }
  }
  if (found === undefined) throw new TypeError("A source without lines was not filled");
  return found;
}
