import type { Clock } from "../../src/clock.ts";

/** Servers of one runner that start at the same time: more would slow each other down. */
export const MAX_STARTS = 4;

/** Milliseconds after which a start no longer keeps others waiting: it pulls an image, or hangs. */
export const SLOW_START_MS = 10_000;

interface Waiting {
  readonly urgent: () => boolean;
  readonly go: () => void;
}

/** Lets few servers start at once; one that somebody waits for goes first. */
export class StartLimit {
  readonly #clock: Clock;
  readonly #most: number;
  readonly #waiting = new Set<Waiting>();
  #starting = 0;

  constructor(clock: Clock, most = MAX_STARTS) {
    this.#clock = clock;
    this.#most = most;
  }

  /**
   * Waits for a place.
   *
   * @param urgent Asked when a place is free: whether a call waits for the start.
   * @param signal Ends the wait: there is no place then, and nothing may be started.
   * @returns Gives the place up.
   */
  enter(urgent: () => boolean, signal: AbortSignal): Promise<() => void> {
    if (signal.aborted) return Promise.resolve(() => {});
    if (this.#starting < this.#most) return Promise.resolve(this.#take());
    return new Promise((resolve) => {
      const leave = (): void => {
        this.#waiting.delete(waiting);
        resolve(() => {});
      };
      const waiting: Waiting = {
        urgent,
        go: () => {
          signal.removeEventListener("abort", leave);
          resolve(this.#take());
        },
      };
      this.#waiting.add(waiting);
      signal.addEventListener("abort", leave, { once: true });
    });
  }

  #take(): () => void {
    this.#starting++;
    let over = false;
    const leave = (): void => {
      if (over) return;
      over = true;
      cancel();
      this.#starting--;
      this.#next();
    };
    const cancel = this.#clock.after(SLOW_START_MS, leave);
    return leave;
  }

  #next(): void {
    const [first, ...others] = this.#waiting;
    const next = [first, ...others].find((each) => each?.urgent()) ?? first;
    if (next === undefined) return;
    this.#waiting.delete(next);
    next.go();
  }
}
