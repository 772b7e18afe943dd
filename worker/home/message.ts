/**
 * Reads the JSON-RPC message of a POST as far as needed; the rest stays text.
 *
 * @module
 */
import { GatewayError } from "../../src/errors.ts";
import {
  MAX_DEPTH,
  type Outline,
  rawMember,
  readString,
  scan,
  stringMember,
} from "../../src/mcp/scan.ts";

/** Longest accepted JSON-RPC id, in characters of its JSON text. */
const MAX_ID_LENGTH = 256;

/** Most members of the message and its `params` together; what they hold is not counted. */
const MAX_MEMBERS = 1_000;

/** One JSON-RPC message of a client, with its payload left as text. */
export interface ClientMessage {
  readonly kind: "request" | "notification" | "response";
  /** The id's own JSON text, echoed byte for byte; undefined for a notification. */
  readonly id: string | undefined;
  /** Empty for a response. */
  readonly method: string;
  /** The JSON text of `params`; empty when absent. */
  readonly params: string;
  /** A string member of `params`. */
  readonly param: (key: string) => string | undefined;
  /** The JSON text of a member of `params`. */
  readonly rawParam: (key: string) => string | undefined;
}

/**
 * Reads the body of a POST: one JSON-RPC message, never a batch (MCP 2025-06-18 removed them).
 *
 * @throws {GatewayError} `malformed_json`, `too_deep`, `invalid_request`.
 */
export function readMessage(body: string): ClientMessage {
  const root = scan(body, { keep: 2, maxDepth: MAX_DEPTH, maxKept: MAX_MEMBERS });
  if (root.kind === "array") throw invalid("batches are not served, send one message per request");
  if (root.kind !== "object") throw invalid("not an object");
  if (stringMember(body, root, "jsonrpc") !== "2.0") throw invalid('"jsonrpc" must be "2.0"');
  const id = readId(body, root);
  const method = root.members.get("method")?.value;
  if (method === undefined) {
    if (id === undefined || !(root.members.has("result") || root.members.has("error"))) {
      throw invalid('"method" is missing');
    }
    return message("response", id, "", body, undefined);
  }
  if (method.kind !== "string") throw invalid('"method" must be a string');
  const params = root.members.get("params")?.value;
  if (params !== undefined && params.kind !== "object") throw invalid('"params" must be an object');
  const name = readString(body.slice(method.start, method.end));
  return message(id === undefined ? "notification" : "request", id, name, body, params);
}

function message(
  kind: ClientMessage["kind"],
  id: string | undefined,
  method: string,
  body: string,
  params: Outline | undefined,
): ClientMessage {
  return {
    kind,
    id,
    method,
    params: params === undefined ? "" : body.slice(params.start, params.end),
    param: (key) => params && stringMember(body, params, key),
    rawParam: (key) => params && rawMember(body, params, key),
  };
}

/** The id's text: a string or a whole number that every JSON reader keeps exactly. */
function readId(body: string, root: Outline): string | undefined {
  const id = root.members.get("id")?.value;
  if (id === undefined) return undefined;
  const text = body.slice(id.start, id.end);
  const valid = id.kind === "string" ||
    (id.kind === "number" && Number.isSafeInteger(Number(text)));
  if (!valid || text.length > MAX_ID_LENGTH) {
    throw invalid(`"id" must be a string or a whole number of at most ${MAX_ID_LENGTH} characters`);
  }
  return text;
}

function invalid(what: string): GatewayError {
  return new GatewayError("invalid_request", `Cannot read request: ${what}`);
}
