import type { EgressTarget } from "../config/egress-target.ts";
import type { ExtraHost } from "../config/extra-host.ts";

/** What the runner tells the proxy, as the first line of its standard input. */
export interface ProxySettings {
  /** IPv4 address of the proxy on the server's network; it listens there and nowhere else. */
  readonly address: string;
  /** Port for CONNECT and for requests with a whole URL. */
  readonly proxyPort: number;
  readonly targets: readonly EgressTarget[];
  readonly extraHosts: readonly ExtraHost[];
  /** Addresses of the machine, which may be public ones. */
  readonly machine: readonly string[];
}

/** How long a connection may carry nothing, in milliseconds. */
export const IDLE_MS = 600_000;

/** How long a client may take to say what it wants, and a host to accept, in milliseconds. */
export const OPENING_MS = 10_000;

/** Connections of the server at a time. */
export const MAX_CONNECTIONS = 256;
