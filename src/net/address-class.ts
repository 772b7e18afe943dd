/**
 * What an IP address leads to: the public internet, or somewhere that nobody meant when they allowed a
 * name. Reads the text itself, so that it gives the same answer on every runtime.
 *
 * The table is that of the IANA special-purpose address registries (RFC 6890). Addresses that carry an
 * IPv4 address in them, such as `::ffff:10.0.0.1`, are never public: what they carry decides where they
 * lead, and no public service needs to be named in that way.
 *
 * @module
 */

/** What an address leads to; everything but `public` is refused unless the config names it. */
export type AddressClass =
  /** A host of the internet. */
  | "public"
  /** This machine or container itself. */
  | "loopback"
  /** Networks of homes, offices and container engines: RFC 1918, RFC 4193, RFC 6598. */
  | "private"
  /** Hosts on the same link, and with them the metadata service of clouds: RFC 3927, RFC 4291. */
  | "link-local"
  /** The metadata service of a cloud: gives out credentials to whoever asks. */
  | "metadata"
  | "multicast"
  /** `0.0.0.0/8` and `::`: this host, on most systems. */
  | "unspecified"
  /** An IPv4 address inside an IPv6 one: mapped, compatible, translated, 6to4, Teredo. */
  | "embedded"
  /** Documentation, benchmarks, broadcast, and what is not given out yet. */
  | "reserved";

/** A range of addresses: those whose first `bits` bits are those of `prefix`. */
type Range = readonly [prefix: readonly number[], bits: number, is: AddressClass];

const range = (text: string, is: AddressClass): Range => {
  const [address = "", bits = ""] = text.split("/");
  return [parseIpv4(address) ?? parseIpv6(address) ?? [], Number(bits), is];
};

/** The first that fits decides. */
const IPV4: readonly Range[] = [
  range("0.0.0.0/8", "unspecified"),
  range("10.0.0.0/8", "private"),
  // Alibaba's, Oracle's and Azure's lie elsewhere; the others are link-local: those of most clouds,
  // of containers on AWS (ECS, EKS), and Tencent's.
  range("100.100.100.200/32", "metadata"),
  range("192.0.0.192/32", "metadata"),
  range("100.64.0.0/10", "private"),
  range("127.0.0.0/8", "loopback"),
  range("169.254.169.254/32", "metadata"),
  range("169.254.170.2/32", "metadata"),
  range("169.254.170.23/32", "metadata"),
  range("169.254.0.23/32", "metadata"),
  range("169.254.0.0/16", "link-local"),
  range("168.63.129.16/32", "metadata"),
  range("172.16.0.0/12", "private"),
  range("192.0.0.0/24", "reserved"),
  range("192.0.2.0/24", "reserved"),
  range("192.88.99.0/24", "reserved"),
  range("192.168.0.0/16", "private"),
  range("198.18.0.0/15", "reserved"),
  range("198.51.100.0/24", "reserved"),
  range("203.0.113.0/24", "reserved"),
  range("224.0.0.0/4", "multicast"),
  range("240.0.0.0/4", "reserved"),
];

const IPV6: readonly Range[] = [
  range("::/128", "unspecified"),
  range("::1/128", "loopback"),
  range("::/96", "embedded"),
  range("::ffff:0:0/96", "embedded"),
  range("::ffff:0:0:0/96", "embedded"),
  range("64:ff9b::/96", "embedded"),
  range("64:ff9b:1::/48", "embedded"),
  range("2001::/32", "embedded"),
  range("2002::/16", "embedded"),
  range("fd00:ec2::254/128", "metadata"),
  range("fd00:ec2::23/128", "metadata"),
  range("fd20:ce::254/128", "metadata"),
  range("fc00::/7", "private"),
  range("fe80::/10", "link-local"),
  // Site-local: deprecated by RFC 3879, and still routed in places.
  range("fec0::/10", "private"),
  range("ff00::/8", "multicast"),
  range("2001::/23", "reserved"),
  range("2001:db8::/32", "reserved"),
  range("3fff::/20", "reserved"),
  // What is given out as global unicast is 2000::/3 and nothing else (RFC 4291 §2.4).
  range("2000::/3", "public"),
  range("::/0", "reserved"),
];

/** Whether this is an IP address of the public internet; false also for text that is no address. */
export function isPublicAddress(address: string): boolean {
  return classOf(address) === "public";
}

/**
 * What `address` leads to, or `undefined` for text that is not an IP address. IPv4 is read in its usual
 * form only: `0177.0.0.1`, `127.1` and `2130706433` are not addresses here. A zone (`fe80::1%eth0`) is
 * read and does not count.
 */
export function classOf(address: string): AddressClass | undefined {
  const ipv4 = parseIpv4(address);
  if (ipv4 !== undefined) return IPV4.find((entry) => isIn(ipv4, entry))?.[2] ?? "public";
  const ipv6 = parseIpv6(address.replace(/%[\w.-]+$/, ""));
  if (ipv6 !== undefined) return IPV6.find((entry) => isIn(ipv6, entry))?.[2] ?? "reserved";
  return undefined;
}

/**
 * One spelling of each address, to compare by: IPv6 in full and in lower case without a zone, IPv4 as it
 * is. `undefined` for text that is not an IP address.
 */
export function canonicalAddress(address: string): string | undefined {
  const ipv4 = parseIpv4(address);
  if (ipv4 !== undefined) return ipv4.join(".");
  const ipv6 = parseIpv6(address.replace(/%[\w.-]+$/, ""));
  if (ipv6 === undefined) return undefined;
  const groups = Array.from(
    { length: 8 },
    (_, i) => ((ipv6[2 * i] ?? 0) * 256 + (ipv6[2 * i + 1] ?? 0)).toString(16),
  );
  return groups.join(":");
}

/** The four bytes of `1.2.3.4`; RFC 6943 §3.1.1 tells why the looser spellings are not for us. */
function parseIpv4(text: string): number[] | undefined {
  if (!/^(?:(?:0|[1-9]\d{0,2})(?:\.|$)){4}$/.test(text) || text.endsWith(".")) return undefined;
  const bytes = text.split(".").map(Number);
  return bytes.every((byte) => byte <= 255) ? bytes : undefined;
}

/** The sixteen bytes of an address as RFC 4291 §2.2 writes it. */
function parseIpv6(text: string): number[] | undefined {
  if (text.length > 45 || !/^[0-9A-Fa-f:.]+$/.test(text)) return undefined;
  const halves = text.split("::");
  if (halves.length > 2) return undefined;
  const [head, tail] = [halves[0] ?? "", halves[1]];
  const before = bytesOf(head, tail === undefined);
  const after = tail === undefined ? [] : bytesOf(tail, true);
  if (before === undefined || after === undefined) return undefined;
  const missing = 16 - before.length - after.length;
  if (tail === undefined ? missing !== 0 : missing < 2) return undefined;
  return [...before, ...Array.from({ length: missing }, () => 0), ...after];
}

/** The bytes of groups between colons; the last may be an IPv4 address if it ends the address. */
function bytesOf(text: string, endsAddress: boolean): number[] | undefined {
  if (text === "") return [];
  const groups = text.split(":");
  const bytes: number[] = [];
  for (const [i, group] of groups.entries()) {
    const ipv4 = endsAddress && i === groups.length - 1 ? parseIpv4(group) : undefined;
    if (ipv4 !== undefined) bytes.push(...ipv4);
    else if (/^[0-9A-Fa-f]{1,4}$/.test(group)) {
      const value = Number.parseInt(group, 16);
      bytes.push(value >> 8, value & 0xff);
    } else return undefined;
  }
  return bytes;
}

function isIn(address: readonly number[], [prefix, bits]: Range): boolean {
  for (let i = 0; 8 * i < bits; i++) {
    const shift = Math.max(0, 8 * (i + 1) - bits);
    if ((address[i] ?? 0) >> shift !== (prefix[i] ?? 0) >> shift) return false;
  }
  return true;
}
