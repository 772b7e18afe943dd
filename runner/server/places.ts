import type { Clock } from "../../src/clock.ts";

/** Most places of one server: whoever abandons calls must not fill the memory. */
const MAX_PLACES = 1_000;

interface Place<Kept> {
  readonly kept: Kept;
  readonly release: () => void;
}

/** What belongs to calls that have ended in a question or as a task, until they are gone on with. */
export class Places<Kept> {
  readonly #clock: Clock;
  readonly #places = new Map<string, Place<Kept>>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * Keeps something for at most `ms` milliseconds, in place of what was kept under that key.
   *
   * @param released Called once, when it is not kept any more.
   * @returns Gives it up.
   */
  keep(key: string, kept: Kept, ms: number, released: () => void): () => void {
    this.#places.get(key)?.release();
    const [oldest] = this.#places.values();
    if (this.#places.size >= MAX_PLACES) oldest?.release();
    let over = false;
    const release = (): void => {
      if (over) return;
      over = true;
      cancel();
      if (this.#places.get(key) === place) this.#places.delete(key);
      released();
    };
    const cancel = this.#clock.after(ms, release);
    const place: Place<Kept> = { kept, release };
    this.#places.set(key, place);
    return release;
  }

  /** What is kept under this key. */
  get(key: string): Kept | undefined {
    return this.#places.get(key)?.kept;
  }

  /** Gives up what is kept under this key. */
  release(key: string): void {
    this.#places.get(key)?.release();
  }

  /** Gives up everything. */
  clear(): void {
    for (const { release } of this.#places.values()) release();
  }
}
