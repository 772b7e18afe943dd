import type { Clock } from "../../src/clock.ts";
import type { Log } from "../../src/log.ts";
import { type TaskRecord, TTL_MS } from "./record.ts";
import type { TaskStore } from "./store.ts";
import type { Task } from "./task.ts";

/** Most tasks that are kept. */
export const MAX_TASKS = 1_000;

/** Most bytes that they take on the disk: a hundred of the longest results. */
const MAX_BYTES = 1024 * 1024 * 1024;

/** A task that is kept. */
export interface Kept {
  record: TaskRecord;
  /** Present until its end is written. */
  task?: Task;
  /** Settles when its end is written, or cannot be. */
  ending?: Promise<void>;
  /** What it holds, if that could not be written. */
  body?: string;
  bytes: number;
}

/** All tasks that can be asked for: not too many, none for longer than its time to live. */
export class KeptTasks {
  readonly #store: TaskStore;
  readonly #clock: Clock;
  readonly #log: Log;
  /** By id, the oldest first. */
  readonly #kept = new Map<string, Kept>();
  #cancelExpiry: () => void = () => {};

  constructor({ store, clock, log }: {
    readonly store: TaskStore;
    readonly clock: Clock;
    readonly log: Log;
  }) {
    this.#store = store;
    this.#clock = clock;
    this.#log = log;
  }

  /** A task that has not expired. */
  get(id: string): Kept | undefined {
    const kept = this.#kept.get(id);
    return kept === undefined || this.isExpired(kept.record) ? undefined : kept;
  }

  /** Those that have not ended. */
  get running(): readonly Task[] {
    return [...this.#kept.values()].flatMap(({ task }) => task ?? []);
  }

  /** Keeps one more. */
  add(kept: Kept): void {
    this.#kept.set(kept.record.id, kept);
    if (this.#kept.size === 1) this.#expire();
  }

  /** Removes a task and its file. */
  drop({ record: { id } }: Kept): void {
    this.#kept.delete(id);
    if (this.#kept.size === 0) this.#cancelExpiry();
    this.#store.remove(id).catch((error: unknown) =>
      this.#log("warn", "The file of a task could not be removed", { cause: String(error) })
    );
  }

  /**
   * Makes room for `more` tasks of `client`. The oldest that have ended go first, the client's own
   * before those of others, so that nobody can push out what somebody else waits for while it has any.
   *
   * @returns Whether there is room.
   */
  makeRoom(client: string, more: number): boolean {
    for (;;) {
      const all = [...this.#kept.values()];
      const bytes = all.reduce((sum, kept) => sum + kept.bytes, 0);
      if (all.length + more <= MAX_TASKS && bytes <= MAX_BYTES) return true;
      const ended = all.filter(({ task }) => task === undefined);
      const oldest = ended.find(({ record }) => record.client === client) ?? ended[0];
      if (oldest === undefined) return false;
      this.drop(oldest);
    }
  }

  /** Whether nobody may ask for a task any more. */
  isExpired({ createdAt, ttlMs }: TaskRecord): boolean {
    return createdAt + ttlMs <= this.#clock.now();
  }

  /** Lets go of all; their files stay. Resolves when every end is written. */
  async close(): Promise<void> {
    this.#cancelExpiry();
    await Promise.all([...this.#kept.values()].flatMap(({ ending }) => ending ?? []));
  }

  /** Drops what has expired, and comes back when the oldest that is left has. */
  #expire(): void {
    for (const kept of this.#kept.values()) {
      if (this.isExpired(kept.record)) {
        this.drop(kept);
        continue;
      }
      const { createdAt, ttlMs } = kept.record;
      const wait = createdAt + ttlMs - this.#clock.now();
      // A record of a day that is still to come, after the machine's clock was set back, waits no longer.
      this.#cancelExpiry = this.#clock.after(Math.min(wait, TTL_MS), () => this.#expire());
      return;
    }
  }
}
