/**
 * Where one server may connect to: a network of its own that leads to a proxy, and the proxy that lets
 * through what the config names. Both are there while a process of the server is.
 *
 *     server ── inner network ── proxy ── outer network ── allowed hosts
 *
 * @module
 */
import type { ContainerNetwork } from "../docker/create.ts";
import { Route, type RouteOptions } from "./route.ts";

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

/** How long network and proxy stay after the last process, in milliseconds: the next may come soon. */
const LINGER_MS = 10_000;

/** The way out of a server; nothing is made before the first lease. */
export function createEgress(options: RouteOptions): Egress {
  return new ServerEgress(options);
}

class ServerEgress implements Egress {
  readonly #options: RouteOptions;
  #route: Route;
  #leases = new Set<symbol>();
  #cancelRemoval: () => void = () => {};
  /** One thing at a time is made or removed. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(options: RouteOptions) {
    this.#options = options;
    this.#route = new Route(options);
  }

  async lease(progress: (line: string) => void): Promise<EgressLease> {
    const key = Symbol("lease");
    this.#leases.add(key);
    this.#cancelRemoval();
    const release = () => {
      if (this.#leases.delete(key) && this.#leases.size === 0) this.#removeLater();
    };
    try {
      const network = await this.#inTurn(() => this.#route.open(progress));
      return { network, release };
    } catch (error) {
      // What was made on the way stays no longer than it would after a process.
      release();
      throw error;
    }
  }

  async close(): Promise<void> {
    this.#cancelRemoval();
    this.#leases.clear();
    await this.#inTurn(() => this.#remove());
  }

  #removeLater(): void {
    this.#cancelRemoval = this.#options.clock.after(LINGER_MS, () => {
      void this.#inTurn(async () => {
        if (this.#leases.size === 0) await this.#remove();
      });
    });
  }

  async #remove(): Promise<void> {
    const route = this.#route;
    this.#route = new Route(this.#options);
    await route.close();
  }

  async #inTurn<T>(run: () => Promise<T>): Promise<T> {
    const mine = this.#turn.then(run);
    this.#turn = mine.catch(() => {});
    return await mine;
  }
}
