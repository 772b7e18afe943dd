/**
 * The worker in one process, on Node or Deno: a store in a SQLite file, homes in memory.
 *
 * @module
 */
import type { Hono } from "hono";
import { systemClock } from "../src/clock.ts";
import type { ServedWorker, ServeOptions } from "../src/embedded-worker.ts";
import type { Log } from "../src/log.ts";
import { grantFinder } from "./access/grants.ts";
import { ensureJoinCode, type JoinCode } from "./access/join-code.ts";
import { createClientToken, createTunnelToken } from "./access/ledger.ts";
import { type AppBindings, createApp, DEFAULT_TUNNEL } from "./app.ts";
import { originPolicy } from "./front/origin.ts";
import { type MemoryHub, memoryHub } from "./hub/memory.ts";
import { denoNamespace, listenDeno } from "./platform/deno.ts";
import { type Limits, readLimits } from "./platform/limits.ts";
import { openSqliteStore, type SqliteStore } from "./store/node-sqlite.ts";

/** Milliseconds between the last words of open streams and the end of their connections. */
const FLUSH_MS = 50;

/** A worker that lives in this process, with no address yet. */
export interface LocalWorker {
  readonly app: Hono<{ Bindings: AppBindings }>;
  readonly hub: MemoryHub;
  readonly store: SqliteStore;
  readonly limits: Limits;
}

/** What a local worker is made from. */
export interface LocalWorkerOptions {
  readonly storePath: string;
  readonly log: Log;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** Opens the store and puts the parts together. */
export function createLocalWorker({ storePath, log, env }: LocalWorkerOptions): LocalWorker {
  const limits = readLimits(env, denoNamespace() === undefined ? "node" : "deno");
  const origins = originPolicy(env, "loopback");
  const store = openSqliteStore(storePath);
  const clock = systemClock;
  const hub = memoryHub({ store, clock, log });
  const app = createApp({
    hub,
    store,
    log,
    now: () => clock.now(),
    findGrant: grantFinder(store),
    findGrantNow: grantFinder(store, { cacheMs: 0 }),
    origins,
    bodyMs: limits.bodyMs,
  });
  return { app, hub, store, limits };
}

/** Makes and serves a local worker; see `WorkerModule` of src/embedded-worker.ts. */
export function serve(options: ServeOptions): Promise<ServedWorker> {
  return serveWorker(createLocalWorker(options), options);
}

/** Serves a local worker on an address. */
export async function serveWorker(
  { app, hub, store, limits }: LocalWorker,
  { hostname, port }: Pick<ServeOptions, "hostname" | "port">,
): Promise<ServedWorker> {
  const listen = denoNamespace() === undefined
    ? (await import("./platform/node.ts")).listenNode
    : listenDeno;
  const server = await listen({
    hostname,
    port,
    limits,
    fetch: (request, bindings) => app.fetch(request, bindings),
  });
  const find = grantFinder(store, { cacheMs: 0 });
  const host = hostname.includes(":") ? `[${hostname}]` : hostname;
  return {
    origin: `http://${host}:${server.port}`,
    createTunnelToken: async (name) =>
      (await createTunnelToken(store, { tunnel: DEFAULT_TUNNEL, name })).bearer,
    createClientToken: async (name, tools) =>
      (await createClientToken(store, { tunnel: DEFAULT_TUNNEL, name, tools })).bearer,
    isLive: async (token) => (await find(token)).status === "ok",
    close: async () => {
      hub.drain();
      // What streams say last is on its way before their sockets are closed.
      await new Promise<void>((resolve) => void systemClock.after(FLUSH_MS, resolve));
      await server.close();
      store.close();
    },
  };
}

/** The join code to show to the owner of a worker that nobody could use otherwise. */
export function firstJoinCode(worker: Pick<LocalWorker, "store">): Promise<JoinCode | undefined> {
  return ensureJoinCode(worker.store, { tunnel: DEFAULT_TUNNEL });
}
