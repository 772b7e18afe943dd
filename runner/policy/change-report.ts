/**
 * Tells of definitions that are not as they are pinned: once each, and of no server so often that what is
 * told of the others drowns.
 *
 * @module
 */
import { type Log, printable } from "../../src/log.ts";
import type { Journal } from "../journal/journal.ts";
import type { PinnedList } from "./pin-set.ts";

/** Most changes of one server that are told, until somebody changes what is pinned of it. */
export const MAX_TOLD = 100;

/** A change that hides an entry. */
export interface HiddenChange {
  readonly list: PinnedList;
  readonly key: string;
  /** Hash of the definition as it is now, and as it is pinned. */
  readonly hash: string;
  readonly pinned: string;
  /** The members that have changed: see `changedText`. */
  readonly members: string;
}

/** What has been told of the servers of one runner. */
export class ChangeReport {
  readonly #log: Log;
  readonly #journal: Journal;
  readonly #told = new Map<string, Set<string>>();

  constructor({ log, journal }: { readonly log: Log; readonly journal: Journal }) {
    this.#log = log;
    this.#journal = journal;
  }

  /** Writes it to the log and the journal, unless that has been done. */
  tell(server: string, { list, key, hash, pinned, members }: HiddenChange): void {
    const told = this.#told.get(server) ?? new Set();
    this.#told.set(server, told);
    const id = JSON.stringify([list, key, hash, pinned]);
    if (told.has(id) || told.size > MAX_TOLD) return;
    told.add(id);
    if (told.size > MAX_TOLD) {
      this.#log(
        "warn",
        `Server "${server}": more of its tools have changed than is told here: they are hidden, see ` +
          `them with "mcp-runner inspect ${server}"`,
      );
      return;
    }
    const what = list === "tools" ? "tool" : "prompt";
    const message = `has changed since it was agreed to${members}`;
    this.#log(
      "warn",
      `Server "${server}": its ${what} ${JSON.stringify(printable(key))} ${message}: it is ` +
        `hidden, see what has changed with "mcp-runner approve ${server}"`,
    );
    this.#journal.write({ type: "quarantine", server, tool: key, list, hash, pinned, message });
  }

  /** Somebody has changed what is pinned of `server`: what changes from now on is told. */
  forget(server: string): void {
    this.#told.delete(server);
  }
}
