/**
 * The worker's routes and the order of its checks, nothing else.
 *
 * @module
 */
import { Hono } from "hono";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import { GatewayError, toGatewayError, toRpcError } from "../src/errors.ts";
import type { Log } from "../src/log.ts";
import { VERSION } from "../src/version.ts";
import { accessRoutes } from "./front/access-routes.ts";
import { authenticateClient, authenticateRunner, type FindGrant } from "./front/authenticate.ts";
import { readBody } from "./front/body.ts";
import { checkOrigin, corsHeaders, type OriginPolicy } from "./front/origin.ts";
import { checkUpgrade } from "./front/tunnel.ts";
import { ALLOWED_METHODS, CHALLENGE, methodNotAllowed } from "./home/request.ts";
import type { Hub, Upgrade } from "./hub/hub.ts";
import type { Store } from "./store/store.ts";

/** What the routes need of the platform. */
export interface AppContext {
  readonly hub: Hub;
  readonly store: Store;
  /** For clients; may be a moment old, so that a call need not ask the store. */
  readonly findGrant: FindGrant;
  /** For runners and owners; never old, as a connection outlives the answer. */
  readonly findGrantNow: FindGrant;
  readonly origins: OriginPolicy;
  /** Milliseconds for a body to arrive; those of body.ts unless given. */
  readonly bodyMs?: number;
  readonly log: Log;
  readonly now: () => number;
}

/** What comes with each request: how this runtime opens a WebSocket. */
export interface AppBindings {
  readonly upgrade: Upgrade;
}

/** The tunnel of a deployment that has one owner. */
export const DEFAULT_TUNNEL = "default";

/** The worker as a Hono app over its parts. */
export function createApp(context: AppContext): Hono<{ Bindings: AppBindings }> {
  const { hub, findGrant, findGrantNow, origins, bodyMs, log } = context;
  const app = new Hono<{ Bindings: AppBindings }>();

  app.use(async (c, next) => {
    checkOrigin(c.req.raw, origins);
    await next();
    if (c.req.raw.headers.has("origin")) {
      const cors = corsHeaders(c.req.raw, origins);
      for (const [name, value] of Object.entries(cors)) c.header(name, value);
    }
  });

  app.get("/", (c) => c.text(`mcp-runner ${VERSION}: the MCP endpoint is /mcp\n`));
  app.get("/healthz", (c) => c.json({ ok: true }));
  app.get("/readyz", async (c) => {
    const readiness = await hub.readiness(DEFAULT_TUNNEL);
    return c.json(readiness, readiness.ready ? 200 : 503);
  });

  app.on(["POST", "GET", "DELETE"], "/mcp", async (c) => {
    const request = c.req.raw;
    const caller = await authenticateClient(request, findGrant);
    return hub.fetch(caller.tunnel, {
      method: request.method,
      headers: request.headers,
      body: request.method === "POST" ? await readBody(request, { bodyMs }) : "",
      caller,
      signal: request.signal,
    });
  });
  app.options("/mcp", (c) => c.body(null, 204));
  app.all("/mcp", () => {
    throw methodNotAllowed();
  });

  app.get("/tunnel", async (c) => {
    const { token, tunnel } = await authenticateRunner(c.req.raw, findGrantNow);
    checkUpgrade(c.req.raw.headers);
    return hub.connect(tunnel, c.req.raw, { token, upgrade: c.env.upgrade });
  });

  app.route("/", accessRoutes(context));

  app.notFound(() => {
    throw new GatewayError("not_found", "Nothing is served here: the MCP endpoint is /mcp");
  });

  app.onError((thrown, c) => {
    const error = toGatewayError(thrown);
    if (error.code === "internal") {
      log("error", "A request failed inside the worker", { cause: String(thrown.stack) });
    }
    if (error.facts.status === 401) c.header("WWW-Authenticate", CHALLENGE);
    // What is left of its body may never come, and nobody waits for that.
    if (error.code === "request_timeout") c.header("Connection", "close");
    if (error.code === "method_not_allowed") c.header("Allow", ALLOWED_METHODS);
    c.header("Cache-Control", "no-store");
    const status = error.facts.status as ContentfulStatusCode;
    return c.json({ jsonrpc: "2.0", error: toRpcError(error) }, status);
  });

  return app;
}
