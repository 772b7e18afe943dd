import type { Clock } from "../../src/clock.ts";

/** Milliseconds from a first change to its notice: servers announce several changes in a burst. */
export const NOTICE_DELAY_MS = 100;

/** Gathers changes that come shortly after one another into one notice. */
export class ChangeNotice<List> {
  readonly #clock: Clock;
  readonly #tell: (lists: readonly List[]) => void;
  readonly #lists = new Set<List>();
  #pending = false;
  #stopped = false;
  #cancel: () => void = () => {};

  /** @param tell Gets the lists that were named since the last notice; none for other changes. */
  constructor(clock: Clock, tell: (lists: readonly List[]) => void) {
    this.#clock = clock;
    this.#tell = tell;
  }

  /** Notes that something has changed: these lists, or the state of a server. */
  note(lists: readonly List[] = []): void {
    for (const list of lists) this.#lists.add(list);
    if (this.#pending || this.#stopped) return;
    this.#pending = true;
    this.#cancel = this.#clock.after(NOTICE_DELAY_MS, () => this.#notify());
  }

  /** Tells now what has not been told yet. */
  flush(): void {
    if (!this.#pending || this.#stopped) return;
    this.#cancel();
    this.#notify();
  }

  /** Tells nothing any more. */
  stop(): void {
    this.#stopped = true;
    this.#cancel();
  }

  #notify(): void {
    const named = [...this.#lists];
    this.#lists.clear();
    this.#pending = false;
    this.#tell(named);
  }
}
