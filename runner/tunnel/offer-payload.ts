import { GatewayError } from "../../src/errors.ts";
import {
  decodeOffer,
  encodeOffer,
  listNames,
  type Offer,
  type OfferedServer,
  unlistedServer,
} from "../../src/mcp/offer.ts";

/** A server whose lists are more than a worker takes. */
export interface LeftOut {
  readonly name: string;
  /** How many entries they have. */
  readonly entries: number;
  /** Their text, in UTF-16 code units. */
  readonly length: number;
}

/**
 * The offer in at most `maxLength` UTF-16 code units, as a worker can read it: one that it cannot read
 * would end the tunnel. Servers with the longest lists are offered without them if need be, as not
 * listed: one that says too much must not hide the others, and calls to it still reach the gateway.
 *
 * @returns The payload, undefined when not even the servers' names fit; and whose lists it lacks.
 */
export function encodeWithin(
  offer: Offer,
  maxLength: number,
): { readonly payload: string | undefined; readonly leftOut: readonly LeftOut[] } {
  const leftOut: LeftOut[] = [];
  const bySize = offer.servers.map(sizeOf).toSorted((a, b) => a.length - b.length);
  let { servers } = offer;
  for (;;) {
    const payload = encodeOffer({ servers });
    if (payload.length <= maxLength && isReadable(payload)) return { payload, leftOut };
    const longest = bySize.pop();
    if (longest === undefined) return { payload: undefined, leftOut };
    leftOut.push(longest);
    servers = servers.map((server) =>
      server.name === longest.name ? unlistedServer(server.name, server.prefix) : server
    );
  }
}

function isReadable(payload: string): boolean {
  try {
    decodeOffer(payload);
    return true;
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error;
    return false;
  }
}

function sizeOf(server: OfferedServer): LeftOut {
  const entries = listNames().flatMap((list) => server[list]);
  return {
    name: server.name,
    entries: entries.length,
    length: entries.reduce((sum, { raw }) => sum + raw.length, server.instructions.length),
  };
}
