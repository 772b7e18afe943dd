/**
 * What all servers offer together, under the names and URIs that clients see: the table by which calls
 * are routed, and the source of the offer. Made anew when a server's lists have changed.
 *
 * @module
 */
import type { Hidden } from "../policy/tool-pins.ts";
import { type NameTable, nameTableOf } from "./name-table.ts";
import type { GatewayServer } from "./gateway-server.ts";
import { type UriSpace, uriSpaceOf } from "./uri-space.ts";

/** The entries that callers may use. */
export interface Catalogue {
  readonly tools: NameTable;
  readonly prompts: NameTable;
  readonly uris: UriSpace;
}

/** A catalogue of the servers that `present` gives, always that of their present lists. */
export function keepCatalogue(present: () => readonly GatewayServer[]): () => Catalogue {
  let of: readonly GatewayServer[] = [];
  let seen: readonly unknown[] = [];
  let revisions: readonly unknown[] = [];
  let catalogue: Catalogue | undefined;
  return () => {
    const servers = present();
    const fresh = catalogue !== undefined && servers === of &&
      servers.every(({ server, pins }, n) =>
        server.lists === seen[n] && pins?.revision === revisions[n]
      );
    if (!fresh || catalogue === undefined) {
      of = servers;
      seen = servers.map(({ server }) => server.lists);
      revisions = servers.map(({ pins }) => pins?.revision);
      const hidden = hiddenOf(servers);
      catalogue = {
        tools: nameTableOf(servers, "tools", hidden),
        prompts: nameTableOf(servers, "prompts", hidden),
        uris: uriSpaceOf(servers),
      };
    }
    return catalogue;
  };
}

/** What of all lists is not as it was agreed to, and why that hides it. */
function hiddenOf(servers: readonly GatewayServer[]): Hidden {
  return new Map(
    servers.flatMap(({ server: { lists }, rules, pins }) =>
      lists === undefined || pins === undefined ? [] : [...pins.judge(lists, rules)]
    ),
  );
}
