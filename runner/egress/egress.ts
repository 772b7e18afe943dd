/**
 * Where one server may connect to: a network of its own that leads to a proxy, and the proxy that lets
 * through what the config names. Both are there while a process of the server is.
 *
 * @module
 */
import type { ContainerNetwork } from "../docker/create.ts";

/** The way out for one process. */
export interface EgressLease {
  readonly network: ContainerNetwork;
  /** The process has ended. When the last one has, proxy and network are removed a little later. */
  release(): void;
}

/** The way out of one server. */
export interface Egress {
  /**
   * Makes network and proxy if they are not there, or if the proxy has ended.
   *
   * @throws {GatewayError} `engine_unavailable`, `image_missing` or `server_failed` with the cause.
   */
  lease(progress: (line: string) => void): Promise<EgressLease>;
  /** Removes both now. */
  close(): Promise<void>;
}
