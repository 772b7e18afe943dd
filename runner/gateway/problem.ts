import type { OfferedList } from "../../src/mcp/offer.ts";

/** An entry of a server that clients do not see as the server wrote it, for its owner. */
export interface Problem {
  /**
   * `broken`: left out because of what it is. `collision`: left out because another has its name.
   * `shortened`: under a shorter name. `rewritten`: under another URI.
   */
  readonly kind: "broken" | "collision" | "shortened" | "rewritten";
  readonly list: OfferedList;
  /** The server's own name, URI or URI template; empty when it has none. */
  readonly key: string;
  /** Under what clients see it; absent when they do not. */
  readonly exposed?: string;
  /** What is so, as the end of a sentence about the entry. */
  readonly why: string;
  /** What the owner can do; absent where nothing need be done. */
  readonly fix?: string;
}
