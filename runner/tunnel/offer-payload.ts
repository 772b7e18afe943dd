import { GatewayError } from "../../src/errors.ts";
import { decodeOffer, encodeOffer, type Offer, type OfferedServer } from "../../src/mcp/offer.ts";

/** A server whose tools are more than a worker takes. */
export interface LeftOut {
  readonly name: string;
  /** How many tools it has. */
  readonly tools: number;
  /** Their text, in UTF-16 code units. */
  readonly length: number;
}

/**
 * The offer in at most `maxLength` UTF-16 code units, as a worker can read it: one that it cannot read
 * would end the tunnel. Servers with the longest tools are offered without them if need be, as not
 * listed: one that says too much must not hide the others, and calls to it still reach the gateway.
 *
 * @returns The payload, undefined when not even the servers' names fit; and whose tools it lacks.
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
      server.name === longest.name ? { name: server.name, listed: false, tools: [] } : server
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

function sizeOf({ name, tools }: OfferedServer): LeftOut {
  return { name, tools: tools.length, length: tools.reduce((sum, { raw }) => sum + raw.length, 0) };
}
