/**
 * The calls that one runner has not answered yet, for link.ts. While there are any, the runner is
 * looked after; without any there is no timer, so that a Durable Object may sleep.
 *
 * @module
 */
import type { Reply } from "../../src/call.ts";
import type { Clock } from "../../src/clock.ts";

/** Milliseconds between two looks at whether a runner that owes answers still gives signs of life. */
const WATCH_MS = 5_000;

/** Calls under way on one link, by call id. */
export class WaitingCalls {
  readonly #replies = new Map<string, Reply>();
  readonly #clock: Clock;
  readonly #look: () => void;
  #stopWatch: (() => void) | undefined;

  /** @param look Called every WATCH_MS while a call waits; may end them all. */
  constructor(clock: Clock, look: () => void) {
    this.#clock = clock;
    this.#look = look;
  }

  /** How many they are. */
  get size(): number {
    return this.#replies.size;
  }

  add(id: string, reply: Reply): void {
    this.#replies.set(id, reply);
    this.#stopWatch ??= this.#watch();
  }

  /** Whoever waits for the call `id`; undefined for a call that has ended or never was. */
  get(id: string): Reply | undefined {
    return this.#replies.get(id);
  }

  /** Takes the call `id` out, so that nothing that comes later finds it. */
  end(id: string): Reply | undefined {
    const reply = this.#replies.get(id);
    this.#replies.delete(id);
    if (this.#replies.size === 0) this.#stop();
    return reply;
  }

  /** Takes all calls out. */
  endAll(): readonly Reply[] {
    const replies = [...this.#replies.values()];
    this.#replies.clear();
    this.#stop();
    return replies;
  }

  #watch(): () => void {
    return this.#clock.after(WATCH_MS, () => {
      this.#stopWatch = this.#watch();
      this.#look();
    });
  }

  #stop(): void {
    this.#stopWatch?.();
    this.#stopWatch = undefined;
  }
}
