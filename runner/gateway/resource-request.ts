import { GatewayError } from "../../src/errors.ts";
import { unknownResource } from "../../src/mcp/name.ts";
import { MAX_SERVER_DEPTH, rawMember, scan, stringMember } from "../../src/mcp/scan.ts";
import type { Exchange } from "../server/exchange.ts";
import { withMembers } from "./own-params.ts";
import { relay } from "./relay.ts";
import type { GatewayRequest, RequestContext } from "./request.ts";
import { resume } from "./resume.ts";
import { withoutRetry } from "./retry.ts";
import type { UriTarget } from "./uri-space.ts";

/** What servers answer for a URI that they do not have, by MCP 2026-07-28 or by no method for it. */
const NOT_FOUND: ReadonlySet<string | undefined> = new Set(["-32602", "-32601"]);

/**
 * Serves resources/read: a resource that is in no list is asked for at each server that may have it,
 * one after the other.
 *
 * @throws {GatewayError} what refuses it: `invalid_params`, `unknown_resource`, `state_invalid`, or why a
 * server could not be started.
 */
export async function serveResource(
  context: RequestContext,
  request: GatewayRequest,
): Promise<void> {
  const { call, params, caller, signal, record, trace } = request;
  const uri = stringMember(params.text, params.outline, "uri");
  if (uri === undefined) {
    throw new GatewayError("invalid_params", "Cannot read a resource: params.uri is missing");
  }
  const { targets, listed } = await context.directory.resource(uri, call.servers);
  if (signal.aborted) return;
  const subject = { client: caller.client, method: "resources/read", name: uri, args: undefined };
  const servers = targets.map(({ server: { server: { name } } }) => name);
  const { input, round, server } = resume(context, params, { subject, servers });
  const changes = withoutRetry(params);
  const asked = server === undefined
    ? targets
    : targets.filter(({ server: entry }) => entry.server.name === server);

  const ask = ([target, ...others]: readonly UriTarget[]): void => {
    if (signal.aborted) return;
    if (target === undefined) {
      context.fail(request, unknownResource(uri));
      return;
    }
    const { server: entry, own } = target;
    record.routed(entry.server.name, own);
    if (own !== uri) changes["uri"] = JSON.stringify(own);
    const exchange: Exchange = {
      method: "resources/read",
      caller,
      params: Object.keys(changes).length === 0 ? params : withMembers(params, changes),
      trace,
      spent: record.spent,
      ...(input !== undefined && { input }),
    };
    const refused = (error: string): boolean => {
      // The only one that has it says so best, unless it knows the resource by another URI.
      if ((listed && own === uri) || !isNotFound(error)) return false;
      ask(others);
      return true;
    };
    relay(context, request, { entry, exchange, subject, round, refused });
  };
  ask(asked);
}

function isNotFound(error: string): boolean {
  const outline = scan(error, { keep: 1, maxDepth: MAX_SERVER_DEPTH });
  return NOT_FOUND.has(rawMember(error, outline, "code"));
}
