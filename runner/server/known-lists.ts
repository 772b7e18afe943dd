import { type Log, printable } from "../../src/log.ts";
import type { Extent } from "./era-server.ts";
import type { ServerLists } from "./listed.ts";
import type { ListKind } from "./lists.ts";
import type { ListMemory } from "./managed-server.ts";
import { differing, isSame } from "./union.ts";

/** What the lists of a server need to know. */
export interface KnownListsContext {
  /** Name of the server. */
  readonly name: string;
  readonly log: Log;
  /** See `ServerContext`. */
  readonly changed: (lists: readonly ListKind[]) => void;
  readonly listMemory?: ListMemory;
  readonly listedElsewhere?: boolean;
}

/** What a server lists as last known: from an earlier run at first, then as its processes say. */
export class KnownLists {
  readonly #context: KnownListsContext;
  #lists: ServerLists | undefined;
  #fresh = false;
  /** Whether the memory has them. */
  #kept = false;

  constructor(context: KnownListsContext) {
    this.#context = context;
  }

  /** The lists; undefined until there are any. */
  get lists(): ServerLists | undefined {
    return this.#lists ??= this.#context.listMemory?.get();
  }

  /** Whether they are of this run. */
  get fresh(): boolean {
    return this.#fresh;
  }

  /** The server lists this now, and says that these kinds have changed. */
  update(lists: ServerLists, told: readonly ListKind[], extent: Extent): void {
    const { listMemory, listedElsewhere, changed } = this.#context;
    const before = this.lists;
    // What is remembered is better than a part.
    if (extent === "part" && before !== undefined && !this.#fresh) return;
    const same = before !== undefined && isSame(lists, before);
    if (!same && listedElsewhere !== true) this.#tellBroken(lists);
    // Nobody has said that these have changed: it was another run that listed them otherwise.
    const since = before !== undefined && !this.#fresh ? differing(before, lists) : [];
    if (extent === "whole" && !(same && this.#kept)) {
      this.#kept = true;
      listMemory?.set(lists);
    }
    this.#fresh = true;
    if (!same) this.#lists = lists;
    const kinds = [...new Set([...told, ...since])];
    if (!same || kinds.length > 0) changed(kinds);
  }

  #tellBroken({ broken }: ServerLists): void {
    const known = new Set(this.#lists?.broken.map((entry) => JSON.stringify(entry)));
    const fresh = broken.filter((entry) => !known.has(JSON.stringify(entry)));
    if (fresh.length === 0) return;
    const [{ list, key, why } = { list: "", key: "", why: "" }] = fresh;
    const { name, log } = this.#context;
    log("warn", `Server "${name}" lists ${fresh.length} entries that cannot be used: left out`, {
      first: printable(`${list} ${JSON.stringify(key)} ${why}`),
    });
  }
}
