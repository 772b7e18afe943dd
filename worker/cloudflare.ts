/**
 * The worker on Cloudflare Workers: a stateless front, the store in one Durable Object, each tunnel's
 * home in another.
 *
 * @module
 */
import type { Hono } from "hono";
import { jsonLog } from "../src/log.ts";
import { grantFinder } from "./access/grants.ts";
import { ensureJoinCode } from "./access/join-code.ts";
import { type AppBindings, createApp, DEFAULT_TUNNEL } from "./app.ts";
import { announceJoinCode } from "./announce.ts";
import { originPolicy } from "./front/origin.ts";
import { objectHub } from "./hub/durable-object.ts";
import type { CloudflareEnv } from "./platform/cloudflare.ts";
import { remoteStore } from "./store/remote.ts";
import type { Store } from "./store/store.ts";

let app: Hono<{ Bindings: AppBindings }> | undefined;
let announced = false;

/** Answers one request; the app is made at the first one, as there is no start to make it at. */
export async function fetchOnCloudflare(request: Request, env: CloudflareEnv): Promise<Response> {
  // A stub belongs to the request that made it, so each use makes one.
  const store = remoteStore(() => env.STORE.get(env.STORE.idFromName("store")));
  await announce(store, env.MCP_RUNNER_URL ?? new URL(request.url).origin);
  app ??= create(env, store);
  return app.fetch(request, {
    upgrade: () => {
      throw new TypeError("The home upgrades on this platform");
    },
  });
}

/** Shows a join code in the log of this instance, once, if nobody could use the worker without. */
async function announce(store: Store, url: string): Promise<void> {
  if (announced) return;
  announced = true;
  try {
    const code = await ensureJoinCode(store, { tunnel: DEFAULT_TUNNEL });
    if (code !== undefined) console.log(announceJoinCode(code, url));
  } catch (error) {
    // The request says by itself what it cannot do without the store.
    announced = false;
    console.error(`Cannot make a join code: ${String(error)}`);
  }
}

function create(env: CloudflareEnv, store: Store): Hono<{ Bindings: AppBindings }> {
  return createApp({
    store,
    hub: objectHub(env.TUNNELS),
    findGrant: grantFinder(store),
    findGrantNow: grantFinder(store, { cacheMs: 0 }),
    origins: originPolicy(
      { MCP_RUNNER_URL: env.MCP_RUNNER_URL, MCP_RUNNER_ORIGINS: env.MCP_RUNNER_ORIGINS },
      "platform",
    ),
    log: jsonLog((line) => console.log(line)),
    now: () => Date.now(),
  });
}
