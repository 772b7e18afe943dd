import type { JournalEvent } from "./event.ts";
import type { Shape } from "./shape.ts";

/** Where events are written, each once. */
export interface Journal {
  /**
   * Never throws and never waits: what cannot be written is told to the operator.
   *
   * @param args Makes the event's `args`: called once, a moment later; must not throw.
   */
  write(event: JournalEvent, args?: () => Shape | undefined): void;
  /** Resolves when all that was written is on the disk; nothing may be written after it. */
  close(): Promise<void>;
}

/** A journal that keeps nothing, for commands that serve nobody. */
export const NO_JOURNAL: Journal = { write: () => {}, close: async () => {} };
