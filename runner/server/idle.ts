import type { Clock } from "../../src/clock.ts";

/** What is done to processes that nobody needs. */
export interface IdleOptions {
  readonly clock: Clock;
  /** Milliseconds until then; 0: at once; undefined: never. */
  readonly idleMs: number | undefined;
  readonly rest: () => void;
}

/** Counts what needs the processes of a server, and rests them when nothing has for a while. */
export class Idle {
  readonly #options: IdleOptions;
  #holds = 0;
  #since: number;
  #over = false;
  #cancel: () => void = () => {};

  constructor(options: IdleOptions) {
    this.#options = options;
    this.#since = options.clock.now();
  }

  /** Whether something needs them. */
  get held(): boolean {
    return this.#holds > 0;
  }

  /** When something needed them last, by the clock. */
  get since(): number {
    return this.#since;
  }

  /** @returns To be called when they are not needed any more; calling it again does nothing. */
  hold(): () => void {
    this.#cancel();
    this.#holds++;
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      this.#holds--;
      if (this.#holds === 0) this.#wait();
    };
  }

  /** Rests nothing any more. */
  stop(): void {
    this.#over = true;
    this.#cancel();
  }

  #wait(): void {
    const { clock, idleMs, rest } = this.#options;
    this.#since = clock.now();
    if (this.#over || idleMs === undefined) return;
    if (idleMs === 0) rest();
    else this.#cancel = clock.after(idleMs, rest);
  }
}
