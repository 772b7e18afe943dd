import type { Clock } from "../../src/clock.ts";

/** Lines within a minute that are no messages, above which a server is noisy. */
export const MAX_NOISE = 100;

const WINDOW_MS = 60_000;

/** Milliseconds between two times that the operator is told. */
const TELL_PAUSE_MS = 60 * 60_000;

/** Counts what a server prints beside messages, and tells when it is too much. */
export class Noise {
  readonly #clock: Clock;
  readonly #tell: () => void;
  #windowAt = Number.NEGATIVE_INFINITY;
  #count = 0;
  #toldAt = Number.NEGATIVE_INFINITY;

  /** @param tell Called at most once an hour. */
  constructor(clock: Clock, tell: () => void) {
    this.#clock = clock;
    this.#tell = tell;
  }

  /** One more line that is no message. */
  note(): void {
    const now = this.#clock.now();
    if (now - this.#windowAt >= WINDOW_MS) {
      this.#windowAt = now;
      this.#count = 0;
    }
    if (++this.#count <= MAX_NOISE || now - this.#toldAt < TELL_PAUSE_MS) return;
    this.#toldAt = now;
    this.#tell();
  }
}
