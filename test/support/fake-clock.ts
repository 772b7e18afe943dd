import type { Clock } from "../../src/clock.ts";

/** A clock that stands still until a test turns it. */
export interface FakeClock extends Clock {
  /** Lets `ms` milliseconds pass: what falls due on the way runs, in its order. */
  advance(ms: number): void;
  /** Timers that are set. */
  readonly pending: number;
}

interface Timer {
  readonly dueAt: number;
  readonly run: () => void;
}

/** A clock that shows `start`, in milliseconds since the epoch. */
export function fakeClock(start = 1_800_000_000_000): FakeClock {
  const timers = new Set<Timer>();
  let at = start;

  /** The timer that is due next, of those due until `end`; the older one of two at once. */
  function next(end: number): Timer | undefined {
    let first: Timer | undefined;
    for (const timer of timers) {
      if (timer.dueAt <= end && (first === undefined || timer.dueAt < first.dueAt)) first = timer;
    }
    return first;
  }

  return {
    now: () => at,
    after(ms, run) {
      const timer = { dueAt: at + ms, run };
      timers.add(timer);
      return () => void timers.delete(timer);
    },
    advance(ms) {
      const end = at + ms;
      for (let timer = next(end); timer !== undefined; timer = next(end)) {
        timers.delete(timer);
        at = timer.dueAt;
        timer.run();
      }
      at = end;
    },
    get pending() {
      return timers.size;
    },
  };
}
