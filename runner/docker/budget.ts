/**
 * How many bytes, or lines, may pass in a second. Called by attached.ts for the output of a server, which may
 * be a flood and cannot be held up for long, because its socket must be read always.
 *
 * @module
 */

const SECOND_MS = 1_000;

/** Lets a number of bytes pass in each second; what comes beyond it is to be dropped. */
export class ByteBudget {
  readonly #bytesPerSecond: number;
  readonly #now: () => number;
  #left = 0;
  #dropping = false;
  #endsAt = -Infinity;

  /** @param now Milliseconds of a clock that never goes back; tests pass their own. */
  constructor(bytesPerSecond: number, now: () => number = () => performance.now()) {
    this.#bytesPerSecond = bytesPerSecond;
    this.#now = now;
  }

  /**
   * Takes `bytes` out of the budget of this second.
   *
   * @returns `pass`; `full` for the first bytes of this second that do not fit; then `drop`.
   */
  take(bytes: number): "pass" | "full" | "drop" {
    const now = this.#now();
    if (now >= this.#endsAt) {
      this.#endsAt = now + SECOND_MS;
      this.#left = this.#bytesPerSecond;
      this.#dropping = false;
    }
    if (this.#dropping) return "drop";
    this.#left -= bytes;
    this.#dropping = this.#left < 0;
    return this.#dropping ? "full" : "pass";
  }
}
