import type { Clock } from "../../src/clock.ts";

/** What a throttle does. */
export interface ThrottleOptions {
  readonly clock: Clock;
  /** Milliseconds from the end of one run to the begin of the next. */
  readonly pauseMs: number;
  /** Never rejects. */
  readonly work: () => Promise<void>;
}

/**
 * Runs work when it is asked for: at once, but one run at a time with a pause after each. However
 * often it is asked for meanwhile, one more run follows.
 */
export class Throttle {
  readonly #options: ThrottleOptions;
  #busy = false;
  #again = false;
  #cancelPause: () => void = () => {};

  constructor(options: ThrottleOptions) {
    this.#options = options;
  }

  /** Asks for a run that begins after now. */
  ask(): void {
    if (this.#busy) this.#again = true;
    else void this.#run();
  }

  /** Ends the pause; nothing runs any more unless it is asked for. */
  stop(): void {
    this.#again = false;
    this.#cancelPause();
  }

  async #run(): Promise<void> {
    this.#busy = true;
    const { clock, pauseMs, work } = this.#options;
    await work();
    this.#cancelPause = clock.after(pauseMs, () => {
      this.#busy = false;
      if (!this.#again) return;
      this.#again = false;
      void this.#run();
    });
  }
}
