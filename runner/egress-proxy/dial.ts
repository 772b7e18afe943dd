/**
 * Connects to allowed hosts. A name is looked up here, once, and the address that was judged is the one
 * that is dialled: nobody can change the answer in between.
 *
 *     host → extra host? its address : address? itself : DNS → judged → connected to the first that answers
 *
 * @module
 */
import { connect, type Socket } from "node:net";
import { networkInterfaces } from "node:os";
import { type AddressClass, canonicalAddress, classOf } from "../../src/net/address-class.ts";
import type { Allowlist } from "./allowlist.ts";
import { isAddress } from "./allowlist.ts";
import { Blocked } from "./decision.ts";
import { OPENING_MS, type ProxySettings } from "./settings.ts";

/** Most addresses of a name that are tried. */
const MAX_ADDRESSES = 4;

/** IPv4 addresses of a name; rejects if it has none. */
export type Lookup = (name: string) => Promise<readonly string[]>;

/** Finds hosts. */
export interface Dialler {
  /**
   * Addresses at which an allowed host may be reached, at least one.
   *
   * @throws {Blocked} when the name leads to where the config did not point.
   */
  find(host: string, port: number): Promise<readonly string[]>;
  /** Connects to the first of these that accepts. */
  connect(addresses: readonly string[], port: number): Promise<Socket>;
}

/** Even the config does not lead there: these would be the proxy itself, or nothing. */
const NEVER: readonly (AddressClass | undefined)[] = [
  "loopback",
  "unspecified",
  "multicast",
  undefined,
];

/** A dialler for these settings. */
export function createDialler(
  { extraHosts, machine }: ProxySettings,
  allowlist: Allowlist,
  lookup: Lookup,
): Dialler {
  const extra = new Map(extraHosts.map(({ host, address }) => [host, address]));
  const ours = new Set([...machine, ...ownAddresses()].map((text) => canonicalAddress(text)));

  /** Why this address must not be dialled, if so. */
  function objection(address: string, named: boolean): string | undefined {
    const is = classOf(address);
    if (NEVER.includes(is)) return notPublic(is);
    if (named) return undefined;
    if (ours.has(canonicalAddress(address))) return "leads to an address of this machine";
    return is === "public" ? undefined : notPublic(is);
  }

  return {
    async find(host, port) {
      const mapped = extra.get(host);
      const addresses = mapped !== undefined
        ? [mapped]
        : isAddress(host)
        ? [host]
        : await lookup(host);
      const objections = addresses.map((address) =>
        objection(address, mapped !== undefined || allowlist.names(address, port))
      );
      const good = addresses.filter((_, i) => objections[i] === undefined);
      if (good.length > 0) return good.slice(0, MAX_ADDRESSES);
      throw new Blocked(objections[0] ?? "has no address");
    },
    async connect(addresses, port) {
      let failure: unknown;
      for (const host of addresses) {
        try {
          return await open(host, port);
        } catch (error) {
          failure = error;
        }
      }
      throw failure;
    },
  };
}

function notPublic(is: AddressClass | undefined): string {
  return `leads to an address that is not public (${is ?? "no IP address"})`;
}

function open(host: string, port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, allowHalfOpen: true, noDelay: true });
    const timer = setTimeout(() => socket.destroy(new Error("no answer")), OPENING_MS);
    socket.once("error", reject).once("close", () => clearTimeout(timer));
    socket.once("connect", () => {
      clearTimeout(timer);
      socket.off("error", reject);
      // Whoever uses it sees "close".
      socket.on("error", () => {});
      resolve(socket);
    });
  });
}

function ownAddresses(): string[] {
  return Object.values(networkInterfaces()).flat().flatMap((at) =>
    at === undefined ? [] : [at.address]
  );
}
