/**
 * Reads the JSON-RPC message of a POST as far as needed; the rest stays text.
 *
 * @module
 */
import { GatewayError } from "../../src/errors.ts";
import { claimedVersion, hasClaim, parseMeta } from "../../src/mcp/meta.ts";
import { isLegacyRevision } from "../../src/mcp/revisions.ts";
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

/** Most messages of a batch, and most members of all of them and their `params` together. */
const MAX_BATCH = 100;
const MAX_BATCH_MEMBERS = 5_000;

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
  /** The JSON text of a member of the message itself: `result` or `error` of a response. */
  readonly rawMember: (key: "result" | "error") => string | undefined;
}

/**
 * Reads the body of a POST that is one JSON-RPC message.
 *
 * @throws {GatewayError} `malformed_json`, `too_deep`, `invalid_request`.
 */
export function readMessage(body: string): ClientMessage {
  return messageAt(body, scan(body, { keep: 2, maxDepth: MAX_DEPTH, maxKept: MAX_MEMBERS }));
}

/**
 * Reads the body of a POST that is a batch, which only MCP 2025-03-26 has: no message of it may claim
 * to be a modern one.
 *
 * @returns undefined for a body that is no array.
 * @throws {GatewayError} `malformed_json`, `too_deep`, `invalid_request`.
 */
export function readBatch(body: string): readonly ClientMessage[] | undefined {
  if (!/^[ \n\r\t]*\[/.test(body)) return undefined;
  const root = scan(body, { keep: 3, maxDepth: MAX_DEPTH, maxKept: MAX_BATCH_MEMBERS });
  const { length } = root.elements;
  if (length === 0 || length > MAX_BATCH) throw invalid(`a batch has 1 to ${MAX_BATCH} messages`);
  return root.elements.map((element) => {
    const read = messageAt(body, element);
    const meta = parseMeta(read.rawParam("_meta"));
    if (hasClaim(meta) && !isLegacyRevision(claimedVersion(meta) ?? "")) {
      throw invalid("a batch is of MCP 2025-03-26, send each message of a newer revision alone");
    }
    return read;
  });
}

function messageAt(body: string, root: Outline): ClientMessage {
  if (root.kind !== "object") throw invalid("not an object");
  if (stringMember(body, root, "jsonrpc") !== "2.0") throw invalid('"jsonrpc" must be "2.0"');
  const id = readId(body, root);
  const method = root.members.get("method")?.value;
  const params = root.members.get("params")?.value;
  if (method === undefined) {
    if (id === undefined || !(root.members.has("result") || root.members.has("error"))) {
      throw invalid('"method" is missing');
    }
  } else {
    if (method.kind !== "string") throw invalid('"method" must be a string');
    if (params !== undefined && params.kind !== "object") {
      throw invalid('"params" must be an object');
    }
  }
  return {
    kind: method === undefined ? "response" : id === undefined ? "notification" : "request",
    id,
    method: method === undefined ? "" : readString(body.slice(method.start, method.end)),
    params: params === undefined ? "" : body.slice(params.start, params.end),
    param: (key) => params && stringMember(body, params, key),
    rawParam: (key) => params && rawMember(body, params, key),
    rawMember: (key) => rawMember(body, root, key),
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
