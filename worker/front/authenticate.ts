/**
 * Who is asking, by bearer token. The routes call it before they do anything for a request.
 *
 * @module
 */
import { GatewayError } from "../../src/errors.ts";
import type { Grant, GrantResult } from "../access/grants.ts";
import type { Caller } from "./caller.ts";

/** Looks up what a presented bearer token grants. */
export type FindGrant = (token: string) => Promise<GrantResult>;

/** Longest token that is looked at, in characters. */
const MAX_TOKEN_LENGTH = 256;

/**
 * Who calls the MCP endpoint.
 *
 * @throws {GatewayError} `unauthorized` for whatever is not a live client token, in one form, so that
 * a caller learns nothing of tokens that are not its own.
 */
export async function authenticateClient(request: Request, find: FindGrant): Promise<Caller> {
  const result = await find(bearer(request));
  if (result.status !== "ok" || result.grant.kind !== "client") {
    throw new GatewayError(
      "unauthorized",
      "Cannot serve request: send a live client token as Authorization: Bearer, " +
        'make one with "mcp-runner token create"',
    );
  }
  const { id, tunnel, tools, expiresAt } = result.grant;
  return { client: id, tunnel, tools, ...(expiresAt !== undefined && { expiresAt }) };
}

/**
 * Which runner, or its owner's command line, is asking.
 *
 * @throws {GatewayError} `unauthorized`, or `token_revoked` so that a runner can say why it stops.
 */
export async function authenticateRunner(
  request: Request,
  find: FindGrant,
): Promise<{ readonly token: string; readonly tunnel: string }> {
  const result = await find(bearer(request));
  if (result.status === "revoked") {
    throw new GatewayError("token_revoked", "This tunnel token was revoked");
  }
  if (result.status !== "ok" || result.grant.kind !== "tunnel") {
    throw new GatewayError("unauthorized", "Cannot open a tunnel: the tunnel token is not known");
  }
  const grant: Grant = result.grant;
  return { token: grant.id, tunnel: grant.tunnel };
}

function bearer(request: Request): string {
  const [, token] = /^bearer +([\x21-\x7e]+)$/i.exec(request.headers.get("authorization") ?? "") ??
    [];
  if (token === undefined || token.length > MAX_TOKEN_LENGTH) {
    throw new GatewayError("unauthorized", "Cannot serve request: no bearer token");
  }
  return token;
}
