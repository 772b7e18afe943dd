/** A kind of MCP: with `initialize` and sessions, or stateless since 2026-07-28. */
export type Era = "modern" | "legacy";

/** Remembers which era a server is of, so that not every start has to find out. */
export interface EraMemory {
  /** The era, as long as it is worth believing. */
  get(): Era | undefined;
  set(era: Era): void;
}

/** A memory that lasts as long as the program, and knows `known` from the begin. */
export function briefMemory(known?: Era): EraMemory {
  let era = known;
  return { get: () => era, set: (found) => void (era = found) };
}
