/**
 * Which hosts the config allows. Names come here as the server wrote them, so every question goes through
 * `hostOf` first: one spelling of each host, and nothing that is not one.
 *
 * @module
 */
import { canonicalAddress } from "../../src/net/address-class.ts";
import type { EgressTarget } from "../config/egress-target.ts";

/** The rules of one server. */
export interface Allowlist {
  /** Ports that the config names. */
  readonly ports: readonly number[];
  /** Whether `host`, as `hostOf` gives it, may be reached at this port. */
  allows(host: string, port: number): boolean;
  /** Whether the name may be reached at any port: such names are answered by our name server. */
  knows(host: string): boolean;
  /** The one host that is meant by a connection to this port that names none, if there is only one. */
  onlyHost(port: number): string | undefined;
  /** Whether the config names this very address and port. */
  names(address: string, port: number): boolean;
}

/** Rules from the targets of the config. */
export function createAllowlist(targets: readonly EgressTarget[]): Allowlist {
  const rules = targets.map(({ host, port }) => ({ host: hostOf(host) ?? host, port }));
  const fits = (rule: string, host: string): boolean => {
    if (rule === "*" || rule === host) return true;
    return rule.startsWith("*.") && !isAddress(host) && host.endsWith(rule.slice(1)) &&
      host.length > rule.length - 1;
  };
  return {
    ports: [...new Set(rules.map(({ port }) => port))],
    allows: (host, port) => rules.some((rule) => rule.port === port && fits(rule.host, host)),
    knows: (host) => !isAddress(host) && rules.some((rule) => fits(rule.host, host)),
    onlyHost(port) {
      const hosts = new Set(rules.filter((rule) => rule.port === port).map(({ host }) => host));
      const [only] = hosts;
      return hosts.size === 1 && !only?.startsWith("*") ? only : undefined;
    },
    names: (address, port) => rules.some((rule) => rule.port === port && rule.host === address),
  };
}

const LABEL = /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/;

/**
 * The one spelling of a host: a name in lower case without the dot at its end, or an address as
 * `canonicalAddress` has it. `undefined` for what is neither, such as `0x7f.1`, `a..b`, or a name with a
 * space, a slash or a zero in it.
 */
export function hostOf(text: string): string | undefined {
  if (text.length > 255) return undefined;
  const address = canonicalAddress(text.replace(/^\[(.*)\]$/, "$1"));
  if (address !== undefined) return address;
  const name = text.toLowerCase().replace(/\.$/, "");
  const labels = name.split(".");
  const valid = name.length <= 253 && labels.every((label) => LABEL.test(label)) &&
    !/^(?:\d+|0x[0-9a-f]*)$/.test(labels.at(-1) ?? "");
  return valid ? name : undefined;
}

/** Host and port of `host:port`, as in CONNECT and `Host` (RFC 9110 §7.2); the port may be absent. */
export function authorityOf(
  text: string,
): { readonly host: string; readonly port: number | undefined } | undefined {
  const [, host = "", port] = /^(\[[0-9A-Fa-f:.]+\]|[^:@/?#[\]\s]+)(?::(\d{1,5}))?$/.exec(text) ??
    [];
  const known = hostOf(host);
  if (known === undefined || Number(port ?? 1) > 65_535) return undefined;
  return { host: known, port: port === undefined ? undefined : Number(port) };
}

/** Whether a host of `hostOf` is an address. */
export function isAddress(host: string): boolean {
  return canonicalAddress(host) !== undefined;
}
