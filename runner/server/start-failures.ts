import { type Backoff, nextWaitMs } from "../../src/backoff.ts";
import type { Clock } from "../../src/clock.ts";
import type { GatewayError } from "../../src/errors.ts";

/** Waits after starts that failed; within them the last failure is the answer. */
export const RESTART_BACKOFF: Backoff = { firstMs: 1_000, maxMs: 60_000 };

/** What a process is started for. */
export type Purpose = "calls" | "lists" | "interaction";

interface Failure {
  readonly error: GatewayError;
  readonly at: number;
  readonly until: number;
  /** Failures in a row. */
  readonly count: number;
}

/** The starts of one server that have failed, of each purpose for itself. */
export class StartFailures {
  readonly #clock: Clock;
  readonly #failures = new Map<Purpose, Failure>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The answer as long as no other start is to be tried; undefined when one may be. */
  refusal(purpose: Purpose): GatewayError | undefined {
    const failure = this.#failures.get(purpose);
    return failure !== undefined && this.#clock.now() < failure.until ? failure.error : undefined;
  }

  /** @returns Whether the same fault of another purpose was noted just now. */
  note(purpose: Purpose, error: GatewayError): boolean {
    const count = (this.#failures.get(purpose)?.count ?? 0) + 1;
    const at = this.#clock.now();
    const known = [...this.#failures].some(([other, failure]) =>
      other !== purpose && failure.error.message === error.message &&
      at - failure.at < RESTART_BACKOFF.firstMs
    );
    const until = at + nextWaitMs(RESTART_BACKOFF, count);
    this.#failures.set(purpose, { error, at, until, count });
    return known;
  }

  /** A start of this purpose has succeeded. */
  clear(purpose: Purpose): void {
    this.#failures.delete(purpose);
  }

  /** The next start is tried at once, whatever its purpose. */
  clearAll(): void {
    this.#failures.clear();
  }
}
