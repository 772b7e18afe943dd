import { type Backoff, nextWaitMs } from "../../src/backoff.ts";
import type { Clock } from "../../src/clock.ts";

/** Failures within `FAILURE_WINDOW_MS` after which a server is given up. */
export const MAX_FAILURES = 5;

/** Milliseconds in which so many failures are too many, and for which a server is given up. */
export const FAILURE_WINDOW_MS = 5 * 60_000;

/** Milliseconds of work after which a crash is not a quick one. */
export const GOOD_WORK_MS = 60_000;

/** Waits after crashes that came quickly, from the second one on. */
const CRASH_BACKOFF: Backoff = { firstMs: 1_000, maxMs: 60_000 };

/** Why no process may be started now. */
export interface CrashRefusal {
  /** Whether the server is given up rather than only waited for. */
  readonly givenUp: boolean;
  /** Milliseconds until one may be. */
  readonly waitMs: number;
  /** What happened last. */
  readonly cause: string;
}

/** A crash, or a start that has failed. */
export interface Failure {
  readonly cause: string;
  /** When its process was started. */
  readonly startedAt: number;
  /** Milliseconds for which the process had worked; undefined for a start that failed. */
  readonly workedMs?: number;
}

/**
 * How often a server has failed lately, of all its processes. Processes that were started before the
 * latest failure belong to it: many that end at once are one failure.
 */
export class CrashRecord {
  readonly #clock: Clock;
  #failures: readonly number[] = [];
  #quick = 0;
  #waitUntil = 0;
  #cause = "";
  /** Until when it is given up; undefined if it is not. */
  #givenUpUntil: number | undefined;
  /** Since when it is tried again after it was given up: one failure is enough then. */
  #probationSince: number | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Whether it is given up, also while it may be tried once more. */
  get givenUp(): boolean {
    return this.#givenUpUntil !== undefined;
  }

  /** Why no process may be started now; undefined if one may. */
  refusal(): CrashRefusal | undefined {
    const until = this.#givenUpUntil ?? this.#waitUntil;
    const waitMs = until - this.#clock.now();
    return waitMs > 0 ? { givenUp: this.givenUp, waitMs, cause: this.#cause } : undefined;
  }

  /** @returns Whether the server is given up with this one. */
  note({ cause, startedAt, workedMs }: Failure): boolean {
    const now = this.#clock.now();
    const latest = this.#failures.at(-1);
    if (this.givenUp && now < (this.#givenUpUntil ?? 0)) return false;
    if (latest !== undefined && startedAt < latest) return false;
    this.#cause = cause;
    if (workedMs !== undefined) this.#backOff(now, workedMs);
    this.#failures = [...this.#failures.filter((at) => now - at < FAILURE_WINDOW_MS), now];
    const since = this.#givenUpUntil ?? this.#probationSince;
    const again = since !== undefined && now - since < FAILURE_WINDOW_MS;
    if (!again && !this.givenUp && this.#failures.length < MAX_FAILURES) return false;
    this.#givenUpUntil = now + FAILURE_WINDOW_MS;
    this.#probationSince = undefined;
    return true;
  }

  /** A process is ready: the server is tried again if it was given up. */
  ready(): void {
    if (this.#givenUpUntil === undefined) return;
    this.#givenUpUntil = undefined;
    this.#probationSince = this.#clock.now();
  }

  /** Forgets everything. */
  clear(): void {
    this.#failures = [];
    this.#quick = 0;
    this.#waitUntil = 0;
    this.#givenUpUntil = undefined;
    this.#probationSince = undefined;
  }

  /** The first quick crash is forgiven: most servers crash once, and then not for a long time. */
  #backOff(now: number, workedMs: number): void {
    this.#quick = workedMs > GOOD_WORK_MS ? 0 : this.#quick + 1;
    this.#waitUntil = this.#quick > 1 ? now + nextWaitMs(CRASH_BACKOFF, this.#quick - 1) : 0;
  }
}
