/**
 * Joining a runner, and the tokens of clients. The owner proves to be it with a tunnel token: whoever
 * joined with a code that the worker printed.
 *
 * @module
 */
import { Hono, type MiddlewareHandler } from "hono";
import * as v from "valibot";
import { createTokenRequest, joinRequest } from "../../src/access-api.ts";
import { GatewayError } from "../../src/errors.ts";
import { redeemJoinCode } from "../access/join-code.ts";
import { createClientToken, listTokens, revokeToken } from "../access/ledger.ts";
import type { AppContext } from "../app.ts";
import { authenticateRunner } from "./authenticate.ts";
import { readBody } from "./body.ts";

/** Longest accepted body here, in bytes. */
const MAX_BODY_BYTES = 16 * 1024;

/** `POST /join` and `/api/tokens`; the bodies are those of src/access-api.ts. */
export function accessRoutes(context: AppContext): Hono {
  const { hub, store, findGrantNow, now, log, bodyMs } = context;
  const app = new Hono();

  // Answers here hold secrets, or change from one moment to the next.
  const uncached: MiddlewareHandler = async (c, next) => {
    await next();
    c.header("Cache-Control", "no-store");
  };
  app.use("/join", uncached);
  app.use("/api/*", uncached);

  app.post("/join", async (c) => {
    const { code, machine } = await readJson(c.req.raw, joinRequest, bodyMs);
    const { bearer, token } = await redeemJoinCode(store, { code, machine, now });
    log("info", "A machine has joined", { machine: token.name, tunnel: token.tunnel });
    return c.json({ token: bearer, tunnel: token.tunnel });
  });

  app.delete("/join", async (c) => {
    const { token, tunnel } = await authenticateRunner(c.req.raw, findGrantNow);
    await revokeToken(store, token, now);
    await hub.revoke(tunnel, token);
    return c.json({ ok: true });
  });

  app.get("/api/tokens", async (c) => {
    const { tunnel } = await authenticateRunner(c.req.raw, findGrantNow);
    const tokens = await listTokens(store);
    return c.json({ tokens: tokens.filter((token) => token.tunnel === tunnel) });
  });

  app.post("/api/tokens", async (c) => {
    const { tunnel } = await authenticateRunner(c.req.raw, findGrantNow);
    const { name, tools, expiresAt } = await readJson(c.req.raw, createTokenRequest, bodyMs);
    const { bearer, token } = await createClientToken(store, {
      tunnel,
      name,
      tools,
      now,
      ...(expiresAt !== undefined && { expiresAt }),
    });
    return c.json({ token: bearer, listed: token }, 201);
  });

  app.delete("/api/tokens/:id", async (c) => {
    const { tunnel } = await authenticateRunner(c.req.raw, findGrantNow);
    const id = c.req.param("id");
    const known = await listTokens(store);
    if (!known.some((token) => token.id === id && token.tunnel === tunnel)) throw unknownToken();
    const revoked = await revokeToken(store, id, now);
    if (revoked === undefined) throw unknownToken();
    await hub.revoke(tunnel, revoked.id);
    return c.json({ revoked });
  });

  return app;
}

function unknownToken(): GatewayError {
  return new GatewayError(
    "not_found",
    'Cannot revoke token: there is none with this id, see "mcp-runner token ls"',
  );
}

async function readJson<Schema extends v.GenericSchema>(
  request: Request,
  schema: Schema,
  bodyMs: number | undefined,
): Promise<v.InferOutput<Schema>> {
  const text = await readBody(request, { maxBytes: MAX_BODY_BYTES, bodyMs });
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new GatewayError("malformed_json", "Cannot read body: not JSON", { cause });
  }
  const parsed = v.safeParse(schema, value);
  if (parsed.success) return parsed.output;
  const [issue] = parsed.issues;
  throw new GatewayError(
    "invalid_request",
    `Cannot read body: ${v.getDotPath(issue) ?? "body"}: ${issue.message}`,
  );
}
