import type { Instance } from "./instance.ts";
import type { LegacyInstance } from "./legacy-instance.ts";
import { withoutTaskSupport } from "./legacy-task.ts";
import type { ServerLists } from "./listed.ts";
import type { Lists } from "./lists.ts";
import type { ServerCapabilities } from "./server-capabilities.ts";
import { follow, unite } from "./union.ts";

/** What an instance said that it has; the instance itself, or what is kept of it. */
type Known = Pick<Instance, "lists" | "capabilities">;

/** What the processes of a legacy server list, also those that are gone. */
export class LegacyLists {
  #plain: Known | undefined;
  #listing: Known | undefined;
  /** Whether the process that shows everything is still there to say what it lists. */
  #listingLives = false;

  /** There is a plain process: its lists count until there is another one. */
  meetPlain(instance: Instance): void {
    this.#plain = instance;
  }

  /** There is a process that shows everything. */
  meetListing(instance: Instance): void {
    this.#listing = instance;
    this.#listingLives = true;
  }

  /** What the server declared; undefined until a process was met. */
  get capabilities(): ServerCapabilities | undefined {
    return (this.#listing ?? this.#plain)?.capabilities;
  }

  /** The process that shows everything is stopped, or shows what happens to its client from now on. */
  keepListing(): void {
    if (this.#listing === undefined) return;
    const { lists, capabilities } = this.#listing;
    this.#listing = { lists, capabilities };
    this.#listingLives = false;
  }

  /** A process lists other things than `before`; what was kept of one that is gone follows it. */
  relisted(instance: Instance, before: Lists): void {
    const listing = this.#listing;
    if (listing === undefined || this.#listingLives) return;
    this.#listing = { ...listing, lists: follow(listing.lists, before, instance.lists) };
  }

  /** Everything that clients may see, with what these processes add; undefined while nothing is known. */
  all(others: readonly Instance[]): ServerLists | undefined {
    const known = [this.#listing, this.#plain, ...others].filter((each) => each !== undefined);
    const [first] = known;
    if (first === undefined) return undefined;
    const { capabilities } = first;
    const sources = known.map(({ lists }) =>
      capabilities.taskCalls ? withoutTaskSupport(lists) : lists
    );
    return unite(sources, capabilities);
  }

  /** Whether a process leaves out of its list a tool that a client with all capabilities sees. */
  hidden(instance: LegacyInstance, tool: string): boolean {
    if (instance.hasTool(tool)) return false;
    return this.#listing?.lists.tools.entries.some(({ key }) => key === tool) === true;
  }
}
