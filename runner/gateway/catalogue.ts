/**
 * What all servers offer together, under the names and URIs that clients see: the table by which calls
 * are routed, and the source of the offer. Made anew when a server's lists have changed.
 *
 * @module
 */
import { type NameTable, nameTableOf } from "./name-table.ts";
import type { GatewayServer } from "./gateway-server.ts";
import { type UriSpace, uriSpaceOf } from "./uri-space.ts";

/** The entries that callers may use. */
export interface Catalogue {
  readonly tools: NameTable;
  readonly prompts: NameTable;
  readonly uris: UriSpace;
}

/** A catalogue of these servers that is always that of their present lists. */
export function keepCatalogue(servers: readonly GatewayServer[]): () => Catalogue {
  let seen: readonly unknown[] = [];
  let catalogue: Catalogue | undefined;
  return () => {
    const fresh = catalogue !== undefined &&
      servers.every(({ server }, n) => server.lists === seen[n]);
    if (!fresh || catalogue === undefined) {
      seen = servers.map(({ server }) => server.lists);
      catalogue = {
        tools: nameTableOf(servers, "tools"),
        prompts: nameTableOf(servers, "prompts"),
        uris: uriSpaceOf(servers),
      };
    }
    return catalogue;
  };
}
