/**
 * Where one server may connect to: a network of its own that leads to a proxy, and the proxy that lets
 * through what the config names. Both are there while a process of the server is: without its proxy a
 * process reaches nothing, so one that has ended is made anew.
 *
 *     server ── inner network ── proxy ── outer network ── allowed hosts
 *
 * @module
 */
import { type Backoff, nextWaitMs } from "../../src/backoff.ts";
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

/** How soon a proxy that has ended is made anew, for processes that still run. */
const RESTORE: Backoff = { firstMs: 1_000, maxMs: 60_000 };

/** After how long without an end its next one counts as the first, in milliseconds. */
const STEADY_MS = 300_000;

/** The way out of a server; nothing is made before the first lease. */
export function createEgress(options: RouteOptions): Egress {
  return new ServerEgress(options);
}

class ServerEgress implements Egress {
  readonly #options: RouteOptions;
  #route: Route;
  #leases = new Set<symbol>();
  #cancelRemoval: () => void = () => {};
  #cancelRestore: () => void = () => {};
  /** Ends of the proxy that followed each other, and when the last one was. */
  #ends = { count: 0, at: 0 };
  /** One thing at a time is made or removed. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(options: RouteOptions) {
    this.#options = options;
    this.#route = this.#newRoute();
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
    this.#cancelRestore();
    this.#leases.clear();
    await this.#inTurn(() => this.#remove());
  }

  #newRoute(): Route {
    const route = new Route(this.#options, () => {
      if (route === this.#route) this.#restoreLater();
    });
    return route;
  }

  #restoreLater(): void {
    if (this.#leases.size === 0) return;
    const { clock, log, server } = this.#options;
    const { count, at } = this.#ends;
    this.#ends = { count: clock.now() - at > STEADY_MS ? 1 : count + 1, at: clock.now() };
    const route = this.#route;
    const restore = async () => {
      if (this.#leases.size > 0 && route === this.#route) await route.open(() => {});
    };
    this.#cancelRestore();
    this.#cancelRestore = clock.after(nextWaitMs(RESTORE, this.#ends.count), () => {
      this.#inTurn(restore).catch((error: unknown) => {
        log("warn", "The network proxy cannot be made anew", {
          server,
          error: error instanceof Error ? error.message : String(error),
        });
        this.#restoreLater();
      });
    });
  }

  #removeLater(): void {
    this.#cancelRestore();
    this.#cancelRemoval = this.#options.clock.after(LINGER_MS, () => {
      void this.#inTurn(async () => {
        if (this.#leases.size === 0) await this.#remove();
      });
    });
  }

  async #remove(): Promise<void> {
    const route = this.#route;
    this.#route = this.#newRoute();
    await route.close();
  }

  async #inTurn<T>(run: () => Promise<T>): Promise<T> {
    const mine = this.#turn.then(run);
    this.#turn = mine.catch(() => {});
    return await mine;
  }
}
