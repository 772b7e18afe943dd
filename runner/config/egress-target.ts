import { isIP } from "node:net";
import { GatewayError } from "../../src/errors.ts";
import { quote } from "./problem.ts";

/** A place outside that a server may reach. */
export interface EgressTarget {
  /**
   * Name in lower case, or an IPv4 or IPv6 address without brackets. A leading `*.` stands for one or more
   * labels, `*` alone for every public host.
   */
  readonly host: string;
  readonly port: number;
}

const LABEL = /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/;

/**
 * Reads `host:port`; the port is 443 unless given.
 *
 * @throws {GatewayError} `config_invalid`; the message says what is allowed.
 */
export function parseEgressTarget(text: string): EgressTarget {
  const [, bracketed, plain, portText = "443"] =
    /^(?:\[([0-9A-Fa-f:.]+)\]|([^:[\]/]+))(?::(\d{1,5}))?$/.exec(text) ?? [];
  const host = (bracketed ?? plain ?? "").toLowerCase().replace(/\.$/, "");
  const port = Number(portText);
  if (port < 1 || port > 65_535) {
    throw refused(`${quote(text)} has no port from 1 to 65535, write one such as example.com:443`);
  }
  const known = host === "*" ||
    (bracketed !== undefined ? isIP(host) === 6 : isIP(host) === 4 || isName(host));
  if (!known) {
    throw refused(
      `${
        quote(text)
      } is not a place on the network, write <host>:<port> such as api.example.com:443`,
    );
  }
  return { host, port };
}

/** A target as it is written. */
export function targetText({ host, port }: EgressTarget): string {
  return `${host.includes(":") ? `[${host}]` : host}:${port}`;
}

function isName(host: string): boolean {
  const name = host.startsWith("*.") ? host.slice(2) : host;
  const labels = name.split(".");
  // The last label of a name is never a number: that would be an address written in another way.
  return name.length <= 253 && labels.every((label) => LABEL.test(label)) &&
    !/^(?:\d+|0x[0-9a-f]*)$/.test(labels.at(-1) ?? "") &&
    // "*.com" would be half of the world.
    (host === name || labels.length > 1);
}

function refused(message: string): GatewayError {
  return new GatewayError("config_invalid", message);
}
