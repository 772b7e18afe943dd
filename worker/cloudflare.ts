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

let app: Promise<Hono<{ Bindings: AppBindings }>> | undefined;

/** Answers one request; the app is made at the first one, as there is no start to make it at. */
export async function fetchOnCloudflare(request: Request, env: CloudflareEnv): Promise<Response> {
  app ??= create(env, new URL(request.url).origin);
  const upgrade = (): never => {
    throw new TypeError("The home upgrades on this platform");
  };
  try {
    return await (await app).fetch(request, { upgrade });
  } catch (error) {
    app = undefined;
    throw error;
  }
}

async function create(
  env: CloudflareEnv,
  origin: string,
): Promise<Hono<{ Bindings: AppBindings }>> {
  const store = remoteStore(env.STORE.get(env.STORE.idFromName("store")));
  const code = await ensureJoinCode(store, { tunnel: DEFAULT_TUNNEL });
  if (code !== undefined) console.log(announceJoinCode(code, env.MCP_RUNNER_URL ?? origin));
  return createApp({
    store,
    hub: objectHub(env.TUNNELS),
    findGrant: grantFinder(store),
    origins: originPolicy(
      { MCP_RUNNER_URL: env.MCP_RUNNER_URL, MCP_RUNNER_ORIGINS: env.MCP_RUNNER_ORIGINS },
      "platform",
    ),
    log: jsonLog((line) => console.log(line)),
    now: () => Date.now(),
  });
}
