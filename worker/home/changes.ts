/**
 * Tells whoever listens that lists have changed: streams of both eras.
 *
 * @module
 */
import { resourceScope } from "../../src/mcp/name.ts";
import { listNames, type Offer, type OfferedList } from "../../src/mcp/offer.ts";
import { matchesAny } from "../../src/policy/pattern.ts";

/** A list of which a change is told: `notifications/<list>/list_changed`. */
export type ChangedList = "tools" | "prompts" | "resources";

/** Hears of changes; must not throw. */
export type ChangeListener = (lists: ReadonlySet<ChangedList>) => void;

/** What has changed in each list, as grants see it: names or resource scopes, or anything. */
export type ChangedScopes = ReadonlyMap<ChangedList, ReadonlySet<string> | "anything">;

/** Scopes above which a change is told to everybody rather than compared with each grant. */
const MAX_SCOPES = 1_000;

/** The listeners of one home. */
export class Changes {
  readonly #listeners = new Map<ChangeListener, readonly string[]>();

  /**
   * @param granted Patterns of the listener's grant: it hears of changes only in what they let it see.
   * @returns Ends the subscription.
   */
  subscribe(listener: ChangeListener, granted: readonly string[] = ["*"]): () => void {
    this.#listeners.set(listener, granted);
    return () => void this.#listeners.delete(listener);
  }

  /** Tells each listener of the lists that have changed for it. */
  tell(changed: ChangedScopes): void {
    if (changed.size === 0) return;
    for (const [listener, granted] of this.#listeners) {
      const lists = new Set<ChangedList>();
      for (const [list, scopes] of changed) {
        if (concerns(scopes, granted)) lists.add(list);
      }
      if (lists.size > 0) listener(lists);
    }
  }
}

function concerns(scopes: ReadonlySet<string> | "anything", granted: readonly string[]): boolean {
  if (scopes === "anything" || scopes.size > MAX_SCOPES) return true;
  return [...scopes].some((scope) => matchesAny(granted, scope));
}

/**
 * What differs between two offers of one runner.
 *
 * @param said Lists that a server has said to have changed, whatever the offers say.
 */
export function differences(
  before: Offer,
  after: Offer,
  said: readonly ChangedList[] = [],
): ChangedScopes {
  const changed = new Map<ChangedList, Set<string> | "anything">();
  for (const list of listNames()) {
    const [old, now] = [rawByScope(before, list), rawByScope(after, list)];
    const scopes = new Set<string>();
    for (const [scope, raw] of old) if (now.get(scope) !== raw) scopes.add(scope);
    for (const scope of now.keys()) if (!old.has(scope)) scopes.add(scope);
    const told = list === "resourceTemplates" ? "resources" : list;
    if (scopes.size > 0) {
      const earlier = changed.get(told);
      changed.set(told, earlier instanceof Set ? new Set([...earlier, ...scopes]) : scopes);
    } else if ([...old.keys()].join("\n") !== [...now.keys()].join("\n")) {
      // The same entries in another order.
      changed.set(told, "anything");
    }
  }
  for (const list of said) if (!changed.has(list)) changed.set(list, "anything");
  return changed;
}

function rawByScope(offer: Offer, list: OfferedList): ReadonlyMap<string, string> {
  const entries = new Map<string, string>();
  for (const server of offer.servers) {
    for (const { key, raw } of server[list]) {
      const named = list === "tools" || list === "prompts";
      entries.set(named ? key : resourceScope(server.name, key), raw);
    }
  }
  return entries;
}
