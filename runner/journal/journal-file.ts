/**
 * The call log of one process on its disk. Events gather for a moment, become lines then, and go out in one
 * write; while that is under way further ones gather. What does not fit while the disk is slow or full is
 * counted, and told when it works again.
 *
 *     write ──▶ events of 20 ms ──▶ lines, 8 MiB at most ──▶ file, 16 MiB ──▶ full files, the newest 7
 *
 * Whoever calls never waits, and a call is made whether its event can be written or not: a policy that
 * refuses calls in that case would ask `flush` before it lets one through.
 *
 * @module
 */
import { setTimeout } from "node:timers";
import type { Clock } from "../../src/clock.ts";
import type { Log } from "../../src/log.ts";
import { livesHere } from "../local/owner.ts";
import { AppendError, AppendFile } from "./append-file.ts";
import type { JournalEvent } from "./event.ts";
import { claimFile, journalFolder, putAside } from "./folder.ts";
import type { Journal } from "./journal.ts";
import { journalLine } from "./line.ts";
import type { Shape } from "./shape.ts";

/** Bytes at which a file is full. */
const MAX_FILE_BYTES = 16 * 1024 * 1024;

/** Files that are kept: those that are full, and the one that is written. */
const KEPT_FILES = 8;

/** UTF-16 code units of lines that wait for the disk, at most. */
const MAX_WAITING_LENGTH = 8 * 1024 * 1024;

/** UTF-16 code units of one write, unless a single line has more. */
const MAX_WRITE_LENGTH = 1024 * 1024;

/**
 * Milliseconds for which events gather: what a process that is killed has not written is lost, and a write
 * for each of a thousand calls in a second would cost half as much as the calls.
 */
const GATHER_MS = 20;

/** Events that wait to become lines: they may hold on to the arguments of their calls. */
const MAX_GATHERED = 256;

/** Milliseconds until a disk that has failed is tried again. */
const RETRY_MS = 1_000;

/** Milliseconds between two words to the operator about a disk that fails. */
const TELL_MS = 60_000;

/** What a call log is made from. */
export interface JournalOptions {
  /** The state directory. */
  readonly home: string;
  /** Id of this process as `Owner.id`. */
  readonly owner: string;
  /** Id under which workers know this runner. */
  readonly runner?: string;
  readonly clock: Clock;
  readonly log: Log;
  /** Takes secrets out of words that servers and callers have chosen. */
  readonly redact?: (text: string) => string;
  /** Whether another process with that owner id may live; asks its socket unless given. */
  readonly isAlive?: (owner: string) => Promise<boolean>;
  readonly maxBytes?: number;
  readonly keep?: number;
}

/** A call log on the disk. */
export interface JournalFile extends Journal {
  /** Resolves once what was written until now is in its file or is given up: whether all of it is there. */
  flush(): Promise<boolean>;
}

/** Opens the call log of this process; a disk that does not work now is tried again. */
export async function openJournal(options: JournalOptions): Promise<JournalFile> {
  const journal = new FileJournal(options);
  await journal.open();
  return journal;
}

/** Events that are lost since the last one that was written. */
interface Loss {
  count: number;
  readonly since: number;
}

/** An event that is no line yet. */
interface Written {
  readonly event: JournalEvent;
  readonly args: (() => Shape | undefined) | undefined;
  readonly seq: number;
  readonly time: number;
}

class FileJournal implements JournalFile {
  readonly #options: JournalOptions;
  readonly #folder: string;
  #path: string | undefined;
  #file: AppendFile | undefined;
  #seq = 0;
  #gathered: Written[] = [];
  #scheduled = false;
  #lines: string[] = [];
  #length = 0;
  #work: Promise<void> | undefined;
  #cancelRetry: (() => void) | undefined;
  #loss: Loss | undefined;
  #toldAt = -Infinity;
  /** Whether the operator believes that the disk fails. */
  #told = false;
  #closed = false;

  constructor(options: JournalOptions) {
    this.#options = options;
    this.#folder = journalFolder(options.home);
  }

  async open(): Promise<void> {
    try {
      await this.#open();
    } catch (error) {
      this.#failed(error);
    }
  }

  write(event: JournalEvent, args?: () => Shape | undefined): void {
    if (this.#closed) return;
    this.#gathered.push({ event, args, seq: ++this.#seq, time: this.#options.clock.now() });
    if (this.#gathered.length >= MAX_GATHERED) this.#encode();
    if (this.#scheduled) return;
    this.#scheduled = true;
    setTimeout(() => {
      this.#scheduled = false;
      this.#encode();
      if (this.#cancelRetry === undefined) void this.#start();
    }, GATHER_MS);
  }

  async flush(): Promise<boolean> {
    this.#encode();
    this.#cancelRetry?.();
    this.#cancelRetry = undefined;
    // What is under way may have been begun before the latest lines came.
    await this.#work;
    await this.#start();
    return this.#lines.length === 0 && this.#loss === undefined;
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    const whole = await this.flush();
    this.#cancelRetry?.();
    if (!whole) {
      const lost = this.#lines.length + (this.#loss?.count ?? 0);
      this.#options.log("warn", "The call log is not complete: its disk does not work", { lost });
    }
    await this.#file?.close().catch((error: unknown) => this.#tell(error));
    this.#file = undefined;
  }

  /** Makes the events that gathered lines; from here on they hold on to nothing. */
  #encode(): void {
    const gathered = this.#gathered;
    if (gathered.length === 0) return;
    this.#gathered = [];
    for (const written of gathered) {
      const line = this.#line(written);
      if (this.#length + line.length > MAX_WAITING_LENGTH) this.#lose(1, written.time);
      else this.#queue(line);
    }
  }

  #line({ event, args, seq, time }: Omit<Written, "args"> & Partial<Written>): string {
    const { owner, runner, redact } = this.#options;
    return journalLine({ boot: owner, runner, seq, time }, event, { args: args?.(), redact });
  }

  #queue(line: string): void {
    this.#lines.push(line);
    this.#length += line.length;
  }

  /** Writes until nothing waits or the disk fails. */
  #start(): Promise<void> {
    this.#work ??= this.#drain().finally(() => this.#work = undefined);
    return this.#work;
  }

  async #drain(): Promise<void> {
    while (this.#lines.length > 0 || this.#loss !== undefined) {
      const lines = this.#batch();
      try {
        const file = await this.#room(lines);
        await file.append(lines);
      } catch (error) {
        const written = error instanceof AppendError ? error.lines : 0;
        this.#done(lines.slice(0, written));
        this.#lines = [...lines.slice(written), ...this.#lines];
        await this.#forget();
        this.#failed(error);
        return;
      }
      this.#done(lines);
      this.#works();
    }
  }

  /** Takes the lines that are written next. */
  #batch(): readonly string[] {
    let length = 0;
    const end = this.#lines.findIndex((line) => (length += line.length) > MAX_WRITE_LENGTH);
    return this.#lines.splice(0, end < 0 ? this.#lines.length : Math.max(1, end));
  }

  #done(lines: readonly string[]): void {
    for (const { length } of lines) this.#length -= length;
  }

  /** The file that takes `lines`: the next one if they would make this one too large. */
  async #room(lines: readonly string[]): Promise<AppendFile> {
    const { clock, maxBytes = MAX_FILE_BYTES, keep = KEPT_FILES } = this.#options;
    const file = this.#file ?? await this.#open();
    const bytes = lines.reduce((sum, line) => sum + Buffer.byteLength(line), 0);
    if (this.#path === undefined || file.size === 0 || file.size + bytes <= maxBytes) return file;
    // Windows renames no file that is open.
    this.#file = undefined;
    await file.close();
    const full = { folder: this.#folder, now: clock.now(), keep: keep - 1 };
    // Better a file that grows too large than one that is not written.
    await putAside(this.#path, full).catch((error: unknown) => this.#tell(error));
    return await this.#open();
  }

  async #open(): Promise<AppendFile> {
    const { home, owner, clock, isAlive = (other) => livesHere(home, other) } = this.#options;
    this.#path ??= await claimFile(this.#folder, owner, { isAlive, now: clock.now() });
    return this.#file = await AppendFile.open(this.#path);
  }

  /** Gives the file up, to be opened again: it may be the file that does not work, not its disk. */
  async #forget(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    await file?.close().catch(() => {});
  }

  #failed(error: unknown): void {
    this.#tell(error instanceof AppendError ? error.cause : error);
    if (this.#closed) return;
    this.#cancelRetry ??= this.#options.clock.after(RETRY_MS, () => {
      this.#cancelRetry = undefined;
      void this.#start();
    });
  }

  #works(): void {
    const loss = this.#loss;
    if (loss !== undefined) {
      this.#loss = undefined;
      const since = new Date(loss.since).toISOString();
      const event = { type: "lost", count: loss.count, since } as const;
      const time = this.#options.clock.now();
      this.#queue(this.#line({ event, seq: ++this.#seq, time }));
    }
    if (this.#told) {
      this.#told = false;
      this.#options.log("info", "The call log is written again", { lost: loss?.count ?? 0 });
    }
  }

  #lose(count: number, time: number): void {
    this.#loss ??= { count: 0, since: time };
    this.#loss.count += count;
  }

  #tell(error: unknown): void {
    const { clock, log } = this.#options;
    if (clock.now() - this.#toldAt < TELL_MS) return;
    this.#toldAt = clock.now();
    this.#told = true;
    log("warn", "The call log cannot be written; calls go on", {
      cause: (error as NodeJS.ErrnoException).code ?? String(error),
      waiting: this.#lines.length,
      lost: this.#loss?.count ?? 0,
    });
  }
}
