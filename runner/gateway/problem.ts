import type { OfferedList } from "../../src/mcp/offer.ts";

/** What can be the matter with an entry; see `Problem.kind`. */
export const PROBLEM_KINDS = [
  "broken",
  "collision",
  "shortened",
  "rewritten",
  "changed",
  "cleaned",
  "suspicious",
] as const;

/** An entry of a server that clients do not see as the server wrote it, for its owner. */
export interface Problem {
  /**
   * `broken`: left out because of what it is. `collision`: left out because another has its name.
   * `shortened`: under a shorter name. `rewritten`: under another URI. `changed`: hidden because it is not
   * what was agreed to. `cleaned`: without a part that clients should not get. `suspicious`: as it is, with
   * words that a person should read.
   */
  readonly kind: (typeof PROBLEM_KINDS)[number];
  readonly list: OfferedList | "instructions";
  /** The server's own name, URI or URI template; empty when it has none, and of its instructions. */
  readonly key: string;
  /** Under what clients see it; absent when they do not. */
  readonly exposed?: string;
  /** What is so, as the end of a sentence about the entry. */
  readonly why: string;
  /** What the owner can do; absent where nothing need be done. */
  readonly fix?: string;
}
