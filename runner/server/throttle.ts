import type { Clock } from "../../src/clock.ts";

/** What a throttle does. */
export interface ThrottleOptions {
  readonly clock: Clock;
  /** Milliseconds from the first time that it is asked for to the begin of the run. */
  readonly delayMs: number;
  /** Milliseconds from the end of one run to the begin of the next. */
  readonly pauseMs: number;
  /** Never rejects. */
  readonly work: () => Promise<void>;
}

/**
 * Runs work soon after it is asked for, one run at a time with a pause after each. However often it
 * is asked for before a run, that run serves all; if it is asked for meanwhile, one more follows.
 */
export class Throttle {
  readonly #options: ThrottleOptions;
  #busy = false;
  #again = false;
  #stopped = false;
  #cancelWait: () => void = () => {};

  constructor(options: ThrottleOptions) {
    this.#options = options;
  }

  /** Asks for a run that begins after now. */
  ask(): void {
    if (this.#stopped) return;
    if (this.#busy) {
      this.#again = true;
      return;
    }
    this.#busy = true;
    this.#cancelWait = this.#options.clock.after(this.#options.delayMs, () => void this.#run());
  }

  /** Ends the waits; nothing runs any more. */
  stop(): void {
    this.#stopped = true;
    this.#cancelWait();
  }

  async #run(): Promise<void> {
    const { clock, pauseMs, work } = this.#options;
    this.#again = false;
    await work();
    if (this.#stopped) return;
    this.#cancelWait = clock.after(pauseMs, () => {
      this.#busy = false;
      if (!this.#again) return;
      this.#busy = true;
      void this.#run();
    });
  }
}
