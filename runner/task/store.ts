/**
 * Tasks on disk: one file for each, readable by this user alone, because results are the user's data.
 *
 *     <folder>/task_<32 hex>.task = the record as one line of JSON, then the result or error as it came
 *
 * @module
 */
import { mkdir, open, readdir, readFile, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import * as v from "valibot";
import { replaceFile } from "../local/atomic-file.ts";
import { TASK_ID, type TaskRecord, taskRecord } from "./record.ts";

const SUFFIX = ".task";

/** Longest first line, in bytes: a record has a few hundred, with the longest message some thousand. */
const MAX_RECORD_BYTES = 8 * 1024;

/** A file that was not renamed for so long, in milliseconds, belongs to a process that ended. */
const STALE_MS = 3_600_000;

/** A task that was found on disk. */
export interface StoredTask {
  readonly record: TaskRecord;
  /** Size of its file. */
  readonly bytes: number;
}

/** Where tasks outlive their runner. Its methods throw what the file system does. */
export interface TaskStore {
  /**
   * All tasks, the oldest first. Files that hold none are removed, and what cannot be read is left
   * alone. `now`: milliseconds since the epoch.
   */
  load(now: number): Promise<StoredTask[]>;
  /**
   * Writes a task as a whole; when it resolves, the task outlives a power cut.
   *
   * @returns Bytes that it takes.
   */
  write(record: TaskRecord, body: string): Promise<number>;
  /** What a task holds; undefined when it is gone. */
  body(id: string): Promise<string | undefined>;
  /** Removes a task; one that is gone is no error. */
  remove(id: string): Promise<void>;
}

/** The store in `folder`, which `load` makes. */
export function fileStore(folder: string): TaskStore {
  const pathOf = (id: string): string => join(folder, id + SUFFIX);
  return {
    async load(now) {
      await mkdir(folder, { recursive: true, mode: 0o700 });
      const found: StoredTask[] = [];
      for (const name of await readdir(folder)) {
        const path = join(folder, name);
        if (name.endsWith(".tmp")) await removeStale(path, now);
        if (!name.endsWith(SUFFIX)) continue;
        try {
          const stored = await readStored(path);
          if (stored !== undefined && path === pathOf(stored.record.id)) found.push(stored);
          else await rm(path, { force: true });
        } catch {
          // One odd entry, such as a folder of that name, must not keep the runner from starting.
        }
      }
      return found.toSorted((a, b) => a.record.createdAt - b.record.createdAt);
    },
    async write(record, body) {
      const text = `${JSON.stringify(record)}\n${body}`;
      await replaceFile(pathOf(record.id), text);
      return Buffer.byteLength(text);
    },
    async body(id) {
      const text = await unlessGone(readFile(pathOf(id), "utf8"));
      return text?.slice(text.indexOf("\n") + 1);
    },
    async remove(id) {
      if (TASK_ID.test(id)) await rm(pathOf(id), { force: true });
    },
  };
}

/** The record in a file's first line; undefined when there is none. Results may be long and stay unread. */
async function readStored(path: string): Promise<StoredTask | undefined> {
  const file = await unlessGone(open(path, "r"));
  if (file === undefined) return undefined;
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(MAX_RECORD_BYTES), 0);
    const text = buffer.toString("utf8", 0, bytesRead);
    const parsed = v.safeParse(taskRecord, JSON.parse(text.slice(0, text.indexOf("\n"))));
    return parsed.success ? { record: parsed.output, bytes: (await file.stat()).size } : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  } finally {
    await file.close();
  }
}

async function removeStale(path: string, now: number): Promise<void> {
  const facts = await unlessGone(stat(path));
  if (facts !== undefined && now - facts.mtimeMs > STALE_MS) await rm(path, { force: true });
}

/** Another runner of this user may remove what it finds expired at any time. */
async function unlessGone<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}
