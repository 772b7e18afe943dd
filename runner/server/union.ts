/**
 * What a server lists, from what its processes list: each may show other entries, by what its client
 * can do or by what has happened to it.
 *
 * @module
 */
import { listNames, type OfferedList } from "../../src/mcp/offer.ts";
import type { ListedEntry, ServerLists } from "./listed.ts";
import type { List, ListKind, Lists } from "./lists.ts";
import type { ServerCapabilities } from "./server-capabilities.ts";

/** Everything that one of `sources` lists; the first that has an entry says how it looks. */
export function unite(sources: readonly Lists[], capabilities: ServerCapabilities): ServerLists {
  const entries = (list: OfferedList) => {
    const all = new Map<string, ListedEntry>();
    for (const source of sources) {
      for (const entry of source[list].entries) {
        if (!all.has(entry.key)) all.set(entry.key, entry);
      }
    }
    return [...all.values()];
  };
  const broken = sources.flatMap((source) => listNames().flatMap((list) => source[list].broken));
  const faults = new Map(broken.map((entry) => [JSON.stringify(entry), entry]));
  return {
    tools: entries("tools"),
    prompts: entries("prompts"),
    resources: entries("resources"),
    resourceTemplates: entries("resourceTemplates"),
    broken: [...faults.values()],
    reads: capabilities.resources,
    tasks: capabilities.tasks,
    instructions: capabilities.instructions,
  };
}

/** Whether two unions show the same to everybody. */
export function isSame(one: ServerLists, other: ServerLists): boolean {
  return one.reads === other.reads && one.tasks === other.tasks &&
    one.instructions === other.instructions && one.broken.length === other.broken.length &&
    listNames().every((list) =>
      one[list].length === other[list].length &&
      one[list].every(({ raw }, n) => raw === other[list][n]?.raw)
    );
}

/** The kinds of list that two unions show in different ways. */
export function differing(one: ServerLists, other: ServerLists): readonly ListKind[] {
  const differs = (list: OfferedList): boolean =>
    one[list].length !== other[list].length ||
    one[list].some(({ raw }, n) => raw !== other[list][n]?.raw);
  return (["tools", "prompts", "resources"] as const).filter((kind) =>
    differs(kind) || (kind === "resources" && differs("resourceTemplates"))
  );
}

/**
 * The lists of a process that is gone, changed as those of one that lives have changed: what that one
 * has dropped is dropped, and what it shows in another way now is shown so.
 */
export function follow(kept: Lists, before: Lists, after: Lists): Lists {
  const followed = (list: OfferedList): List => {
    const was = new Map(before[list].entries.map(({ key, raw }) => [key, raw]));
    const is = new Map(after[list].entries.map((entry) => [entry.key, entry]));
    const entries = kept[list].entries.flatMap((entry) => {
      const now = is.get(entry.key);
      if (now === undefined) return was.has(entry.key) ? [] : [entry];
      return was.get(entry.key) === now.raw ? [entry] : [now];
    });
    return { ...kept[list], entries };
  };
  return {
    tools: followed("tools"),
    prompts: followed("prompts"),
    resources: followed("resources"),
    resourceTemplates: followed("resourceTemplates"),
  };
}
