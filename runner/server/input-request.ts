/**
 * What a server asks of the client, in the form of MCP 2026-07-28 mrtr: a legacy server sends requests,
 * a client gets them together as the result of its own request.
 *
 * @module
 */
import { GatewayError } from "../../src/errors.ts";
import { RESERVED_PREFIX } from "../../src/mcp/meta.ts";
import { claimsModern } from "../../src/mcp/revisions.ts";
import { MAX_SERVER_DEPTH, type Outline, scan, spliceObject } from "../../src/mcp/scan.ts";

/** The first part of the keys under which a client answers, by the method that it answers. */
const KEYS: ReadonlyMap<string, string> = new Map([
  ["elicitation/create", "elicitation"],
  ["sampling/createMessage", "sampling"],
  ["roots/list", "roots"],
]);

/** The first part of the key for a request of this method; undefined for one that no client serves. */
export function keyOf(method: string): string | undefined {
  return KEYS.get(method);
}

/**
 * JSON text of one input request. Members that are between the server and the runner alone are left
 * out, and for modern callers the id of a URL elicitation, which their revision has not.
 *
 * @param params JSON text of the server's params, which is not trusted; empty for none.
 */
export function toInputRequest(method: string, params: string, protocolVersion: string): string {
  const name = JSON.stringify(method);
  return params === ""
    ? `{"method":${name}}`
    : `{"method":${name},"params":${cleaned(params, protocolVersion)}}`;
}

/** JSON text of the InputRequiredResult, without `requestState`, that asks for all of these. */
export function toInputRequired(requests: Iterable<readonly [key: string, text: string]>): string {
  const members = [...requests].map(([key, text]) => `${JSON.stringify(key)}:${text}`);
  return `{"resultType":"input_required","inputRequests":{${members.join(",")}}}`;
}

/** Whether a text is a JSON-RPC error object that a server can read. */
export function isError(text: string): boolean {
  const outline = outlined(text, 1);
  return outline?.members.get("code")?.value.kind === "number" &&
    outline.members.get("message")?.value.kind === "string";
}

function cleaned(params: string, protocolVersion: string): string {
  const outline = outlined(params, 2);
  if (outline?.kind !== "object") return "{}";
  const changes: Record<string, string | null> = { task: null };
  if (claimsModern(protocolVersion)) changes["elicitationId"] = null;
  const meta = outline.members.get("_meta")?.value;
  if (meta !== undefined) {
    const own = [...meta.members.keys()].filter((key) =>
      key.startsWith(RESERVED_PREFIX) || key === "progressToken"
    );
    const kept = spliceObject(params, meta, Object.fromEntries(own.map((key) => [key, null])));
    changes["_meta"] = kept === "{}" ? null : kept;
  }
  return spliceObject(params, outline, changes);
}

function outlined(text: string, keep: number): Outline | undefined {
  try {
    return scan(text, { keep, maxDepth: MAX_SERVER_DEPTH });
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error;
    return undefined;
  }
}
