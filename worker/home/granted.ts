/**
 * What the grant of a caller lets it see of what the runners offer.
 *
 * @module
 */
import { resourceScope } from "../../src/mcp/name.ts";
import type { Offer, OfferedEntry, OfferedList, OfferedServer } from "../../src/mcp/offer.ts";
import { matchesAny } from "../../src/policy/pattern.ts";

/** The entries that `granted` lets a caller see: each name or URI once, the first offer's. */
export function grantedEntries(
  offers: Iterable<Offer>,
  list: OfferedList,
  granted: readonly string[],
): readonly OfferedEntry[] {
  const entries = new Map<string, OfferedEntry>();
  for (const { servers } of offers) {
    for (const server of servers) {
      for (const entry of server[list]) {
        if (entries.has(entry.key) || !isGranted(server, list, entry.key, granted)) continue;
        entries.set(entry.key, entry);
      }
    }
  }
  return [...entries.values()];
}

/** Whether `granted` lets a caller see an entry of `server`, or a URI as one of its resources. */
export function isGranted(
  server: OfferedServer,
  list: OfferedList,
  key: string,
  granted: readonly string[],
): boolean {
  const named = list === "tools" || list === "prompts";
  return matchesAny(granted, named ? key : resourceScope(server.name, key));
}
