/**
 * The hub of a worker in one process, on Node and Deno.
 *
 * @module
 */
import type { HomeContext } from "../home/context.ts";
import { Home } from "../home/home.ts";
import type { Hub } from "./hub.ts";

/** A hub that keeps all homes in this process: for Node and Deno with one instance. */
export interface MemoryHub extends Hub {
  /** Tells every client that listens and every runner that this process stops, so that they come again. */
  drain(): void;
}

/** Makes a hub of homes that share a store, a clock and a log. */
export function memoryHub(shared: Omit<HomeContext, "tunnel">): MemoryHub {
  const homes = new Map<string, Home>();
  const homeOf = (tunnel: string): Home => {
    let home = homes.get(tunnel);
    if (home === undefined) {
      home = new Home({ ...shared, tunnel });
      homes.set(tunnel, home);
    }
    return home;
  };
  return {
    fetch: (tunnel, request) => homeOf(tunnel).fetch(request),
    connect: (tunnel, request, { token, upgrade }) =>
      Promise.resolve(upgrade(request, (wire) => homeOf(tunnel).runners.attach(wire, { token }))),
    readiness: (tunnel) => homeOf(tunnel).readiness(),
    revoke: (tunnel, token) => {
      homeOf(tunnel).revoke(token);
      return Promise.resolve();
    },
    drain: () => {
      for (const home of homes.values()) home.drain();
    },
  };
}
