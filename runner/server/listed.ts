import type { OfferedList } from "../../src/mcp/offer.ts";

/** An entry of one of a server's lists. */
export interface ListedEntry {
  /** The server's own name, URI or URI template for it. */
  readonly key: string;
  /** The whole object as raw JSON text. */
  readonly raw: string;
}

/** An entry that was left out of a list. */
export interface BrokenEntry {
  readonly list: OfferedList;
  /** Its name or URI; empty when it has none. */
  readonly key: string;
  /** Why, for the user: `has no inputSchema`. */
  readonly why: string;
}

/** What a server says of itself and lists, as it wrote it. */
export interface ServerLists extends Readonly<Record<OfferedList, readonly ListedEntry[]>> {
  readonly broken: readonly BrokenEntry[];
  /** Whether it has resources at all. */
  readonly reads: boolean;
  /** Whether it serves the tasks extension itself. */
  readonly tasks: boolean;
  /** What it wants models to know of its use; empty for nothing. */
  readonly instructions: string;
}
