/**
 * Which hosts a server at a URL may lead us to. Asked by dial.ts for every connection, whoever named
 * the host: the config, a redirect, the metadata of a server or of its authorization server.
 *
 * A name is looked up once, all of its addresses are looked at, and what was looked at is what is
 * dialled: a name whose address changes in between leads nowhere else.
 *
 * @module
 */
import type { LookupAddress } from "node:dns";
import type { LookupFunction } from "node:net";
import { GatewayError } from "../../src/errors.ts";
import { printable } from "../../src/log.ts";
import { type AddressClass, classOf } from "../../src/net/address-class.ts";

/** Where the connections for one server may go: to the public internet, and what is named here. */
export interface Reach {
  /** Whether private addresses are dialled too, as the user has allowed for this server. */
  readonly allowPrivate: boolean;
  /** Origin on this machine that the user has written as the URL of the server; nothing else here is dialled. */
  readonly localOrigin: string | undefined;
}

/** Addresses of a host, as DNS or the system gives them. */
export type Lookup = (hostname: string) => Promise<readonly LookupAddress[]>;

/** What may be dialled with `allowPrivate`: never the metadata services of clouds. */
const WITH_PRIVATE: ReadonlySet<AddressClass> = new Set([
  "public",
  "private",
  "loopback",
  "link-local",
  "reserved",
]);

const PUBLIC: ReadonlySet<AddressClass> = new Set(["public"]);

const LOOPBACK: ReadonlySet<AddressClass> = new Set(["loopback"]);

/** Names that stand for hosts of a network of one's own, whatever they resolve to. */
const PRIVATE_NAME =
  /^(?:[^.]*|(?:.*\.)?(?:localhost|local|localdomain|internal|intranet|lan|home|corp|private|home\.arpa|svc|cluster\.local))$/;

/** Names of metadata services, refused even with `allowPrivate`. */
const METADATA_NAME =
  /^(?:metadata|instance-data|metadata\.(?:google|azure)\.internal|metadata\.goog)$/;

/** Characters of a host that a message of ours quotes. */
const MAX_QUOTE_LENGTH = 200;

const LOCAL_HOST = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])$/;

/** Whether `url` names this machine, in a way that leads nowhere else. */
export function isLocal(url: URL): boolean {
  return LOCAL_HOST.test(url.hostname);
}

/** What the server at `url` may lead us to. */
export function reachOf(url: URL, allowPrivate: boolean): Reach {
  return { allowPrivate, localOrigin: isLocal(url) ? url.origin : undefined };
}

/**
 * Looks at a URL before anything is looked up or sent.
 *
 * @throws {GatewayError} `address_refused` naming the host, and why.
 */
export function checkTarget(url: URL, reach: Reach): void {
  const local = url.origin === reach.localOrigin;
  const plain = url.protocol === "http:" && (local || (reach.allowPrivate && isLocal(url)));
  if (url.protocol !== "https:" && !plain) throw refuse(url.host, "its URL is not encrypted");
  if (url.username !== "" || url.password !== "") {
    throw refuse(url.host, "its URL holds credentials");
  }
  const host = bare(url.hostname);
  if (classOf(host) !== undefined) return checkAddress(host, url, reach);
  if (METADATA_NAME.test(host)) throw refuse(url.host, "it is the metadata service of a cloud");
  if (!local && !reach.allowPrivate && PRIVATE_NAME.test(host)) {
    throw refuse(url.host, `its name is one of a private network${WAY_OUT}`);
  }
}

/**
 * A lookup for `net.connect()` whose answer holds nothing that may not be dialled.
 *
 * @param local Whether the host is that of the origin on this machine, and must lead there.
 */
export function guardedLookup(lookup: Lookup, reach: Reach, local: boolean): LookupFunction {
  return (hostname, options, callback) => {
    const answer = async (): Promise<readonly LookupAddress[]> => {
      const { family } = options;
      const addresses = await lookup(hostname);
      for (const { address } of addresses) checkClass(address, hostname, allowed(reach, local));
      const usable = addresses.filter((each) =>
        ![4, 6].includes(Number(family)) || each.family === family
      );
      if (usable.length === 0) throw Object.assign(new Error("no address"), { code: "ENOTFOUND" });
      return usable;
    };
    answer().then((addresses) => {
      const [first] = addresses;
      if (options.all === true) callback(null, [...addresses]);
      else callback(null, first?.address ?? "", first?.family);
    }, (error: NodeJS.ErrnoException) => callback(error, ""));
  };
}

const WAY_OUT = ": if it is yours, set allowPrivate: true for this server in mcp-runner.yaml";

function checkAddress(address: string, { host, origin }: URL, reach: Reach): void {
  checkClass(address, host, allowed(reach, origin === reach.localOrigin));
}

function allowed({ allowPrivate }: Reach, local: boolean): ReadonlySet<AddressClass> {
  if (local) return LOOPBACK;
  return allowPrivate ? WITH_PRIVATE : PUBLIC;
}

/** The class is told, the address is not: it may be one of a network that the asker does not know. */
function checkClass(address: string, host: string, classes: ReadonlySet<AddressClass>): void {
  const is = classOf(address) ?? "reserved";
  if (classes.has(is)) return;
  if (classes === LOOPBACK) throw refuse(host, "its address is not on this machine");
  const mine = WITH_PRIVATE.has(is) ? WAY_OUT : "";
  throw refuse(host, `its address is not public but ${WORDS[is]}${mine}`);
}

const WORDS: Readonly<Record<AddressClass, string>> = {
  public: "public",
  loopback: "on this machine (loopback)",
  private: "of a private network",
  "link-local": "of the local link",
  metadata: "that of a cloud's metadata service",
  multicast: "a multicast one",
  unspecified: "no host's",
  embedded: "an IPv4 address inside an IPv6 one",
  reserved: "a reserved one",
};

/** A host as names and addresses are compared: without brackets, and without dots at its end. */
function bare(hostname: string): string {
  return hostname.replace(/^\[|\]$/g, "").replace(/\.+$/, "").toLowerCase();
}

function refuse(host: string, why: string): GatewayError {
  return new GatewayError(
    "address_refused",
    `Refused to connect to ${printable(host).slice(0, MAX_QUOTE_LENGTH)}: ${why}`,
  );
}
