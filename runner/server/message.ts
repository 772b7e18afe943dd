import { GatewayError } from "../../src/errors.ts";
import {
  MAX_SERVER_DEPTH,
  type Member,
  type Outline,
  rawMember,
  scan,
  stringMember,
} from "../../src/mcp/scan.ts";

/** How a server answered a request. */
export type Outcome =
  /** JSON text of the result, an object, and its outline's members, which stand as in that text. */
  | { readonly result: string; readonly members: ReadonlyMap<string, Member> }
  /** JSON text of the JSON-RPC error object. */
  | { readonly error: string };

/** A message that a server printed, read only as far as it must be to pass it on. */
export type ServerMessage =
  | { readonly kind: "answer"; readonly id: number; readonly outcome: Outcome }
  /** `notifications/progress`: the JSON text of its `params`. */
  | { readonly kind: "progress"; readonly token: number; readonly params: string }
  /** Any other notification: the JSON text of its `params`, empty when it has none. */
  | { readonly kind: "notification"; readonly method: string; readonly params: string }
  /** `id` is the JSON text of a string or a number, `params` is empty when there are none. */
  | {
    readonly kind: "request";
    readonly method: string;
    readonly id: string;
    readonly params: string;
  };

/** How a JSON object begins. */
const MAY_BE_OBJECT = /^[ \t\r]*\{/;

/** Most members of a result, or of an error or params: far above what any message has. */
const MAX_KEPT = 100_000;

/** Stands in for an answer that no client could read. */
const UNREADABLE = '{"code":-32603,"message":"The server sent an answer without result or error"}';

/**
 * Reads one line of a server's stdout, which is not trusted.
 *
 * @returns undefined when it is no JSON-RPC 2.0 message; servers print such things.
 */
export function readMessage(line: string): ServerMessage | undefined {
  // A flood of lines that cannot be any must not cost what a failure costs.
  if (!MAY_BE_OBJECT.test(line)) return undefined;
  const root = outlineOf(line);
  if (root === undefined || stringMember(line, root, "jsonrpc") !== "2.0") return undefined;
  const id = root.members.get("id")?.value;
  if (!root.members.has("method")) {
    if (id?.kind !== "number") return undefined;
    return { kind: "answer", id: numberOf(line, id), outcome: outcomeOf(line, root) };
  }
  const method = stringMember(line, root, "method");
  if (method === undefined) return undefined;
  if (id !== undefined) {
    if (id.kind !== "number" && id.kind !== "string") return undefined;
    return { kind: "request", method, id: textOf(line, id), params: paramsOf(line, root) };
  }
  if (method === "notifications/progress") return progressOf(line, root);
  return { kind: "notification", method, params: paramsOf(line, root) };
}

function outlineOf(line: string): Outline | undefined {
  try {
    return scan(line, { keep: 2, maxDepth: MAX_SERVER_DEPTH, maxKept: MAX_KEPT });
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error;
    return undefined;
  }
}

function outcomeOf(line: string, root: Outline): Outcome {
  const result = root.members.get("result")?.value;
  if (result?.kind === "object") {
    return { result: textOf(line, result), members: moved(result.members, result.start) };
  }
  const error = root.members.get("error")?.value;
  const readable = error !== undefined && stringMember(line, error, "message") !== undefined &&
    Number.isSafeInteger(Number(rawMember(line, error, "code")));
  return { error: readable ? textOf(line, error) : UNREADABLE };
}

/** Progress without params that name a number belongs to no request: NaN is no id. */
function progressOf(line: string, root: Outline): ServerMessage {
  const params = root.members.get("params")?.value;
  const token = params?.members.get("progressToken")?.value;
  return {
    kind: "progress",
    token: token?.kind === "number" ? numberOf(line, token) : NaN,
    params: params === undefined ? "" : textOf(line, params),
  };
}

function paramsOf(line: string, root: Outline): string {
  return rawMember(line, root, "params") ?? "";
}

/** Members of an object that begins at `start`, as they stand in the object's own text. */
function moved(members: ReadonlyMap<string, Member>, start: number): ReadonlyMap<string, Member> {
  const own = new Map<string, Member>();
  for (const [key, { keyStart, value }] of members) {
    const at = { ...value, start: value.start - start, end: value.end - start };
    own.set(key, { keyStart: keyStart - start, value: at });
  }
  return own;
}

function numberOf(line: string, outline: Outline): number {
  return Number(textOf(line, outline));
}

function textOf(line: string, { start, end }: Outline): string {
  return line.slice(start, end);
}
