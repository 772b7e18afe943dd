/**
 * Between the two ways to ask a client (MCP 2026-07-28 basic/patterns/mrtr): results of runners that
 * require input are read into single requests, and their answers become the params of the next round.
 *
 * @module
 */
import { GatewayError } from "../../src/errors.ts";
import { INPUT_ERRORS_KEY } from "../../src/mcp/meta.ts";
import {
  MAX_SERVER_DEPTH,
  type Outline,
  rawMember,
  scan,
  type ScanOptions,
  spliceObject,
  stringMember,
} from "../../src/mcp/scan.ts";
import type { ClientAnswer } from "./questions.ts";

/** Requests that one result may hold. */
const MAX_REQUESTS = 32;

/** Most members of a result and its requests that are looked at. */
const MAX_MEMBERS = 1_000;

/** How params and their `_meta` are outlined: they may be large, and only their own members matter. */
const FLAT: ScanOptions = { keep: 1, maxDepth: MAX_SERVER_DEPTH, maxKept: MAX_MEMBERS };

/** Longest params of a round, in UTF-16 code units: a frame takes 10 Mi. */
const MAX_PARAMS_LENGTH = 8 * 1024 * 1024;

/** One request of a server to the client. */
export interface InputRequest {
  readonly key: string;
  readonly method: string;
  /** Raw JSON text; undefined for none. */
  readonly params: string | undefined;
  /** The `mode` of an elicitation. */
  readonly mode: string | undefined;
}

/** What a result asks for. */
export interface InputRequired {
  readonly requests: readonly InputRequest[];
  /** Raw text of `requestState`, to be brought back; undefined for none. */
  readonly state: string | undefined;
}

/**
 * Reads a result of type `input_required`.
 *
 * @throws {GatewayError} `server_failed` when it is none.
 */
export function readInputRequired(result: string): InputRequired {
  const root = outlineOf(result);
  const requests = root.members.get("inputRequests")?.value;
  const members = [...requests?.members ?? []];
  if (members.length > MAX_REQUESTS) {
    throw unreadable(`it asks more than ${MAX_REQUESTS} questions`);
  }
  const state = rawMember(result, root, "requestState");
  if (members.length === 0 && state === undefined) throw unreadable("it asks nothing");
  return { state, requests: members.map(([key, { value }]) => readRequest(result, key, value)) };
}

function outlineOf(result: string): Outline {
  try {
    return scan(result, { keep: 4, maxDepth: MAX_SERVER_DEPTH, maxKept: MAX_MEMBERS });
  } catch (cause) {
    if (cause instanceof GatewayError) throw unreadable("it is too large, or has a key twice");
    throw cause;
  }
}

function readRequest(result: string, key: string, request: Outline): InputRequest {
  const method = stringMember(result, request, "method");
  const params = request.members.get("params")?.value;
  if (method === undefined || (params !== undefined && params.kind !== "object")) {
    throw unreadable("one of its questions is no request");
  }
  return {
    key,
    method,
    params: params && result.slice(params.start, params.end),
    mode: params && stringMember(result, params, "mode"),
  };
}

function unreadable(why: string): GatewayError {
  return new GatewayError("server_failed", `Cannot ask the client what the server needs: ${why}`, {
    executed: "unknown",
  });
}

/**
 * The params of a URL elicitation with an `elicitationId`, which 2025-11-25 demands and 2026-07-28 has
 * no more.
 */
export function withElicitationId(params: string): string {
  const outline = scan(params, FLAT);
  if (outline.members.has("elicitationId")) return params;
  return spliceObject(params, outline, { elicitationId: `"${crypto.randomUUID()}"` });
}

/** A legacy client's params as those of the first round: without what only later rounds may have. */
export function firstParams(params: string): string {
  if (!/input|State|\\/.test(params)) return params;
  return withInput(params, {});
}

/**
 * The params of the round that brings `answers`, by the keys of their requests, and `state`.
 *
 * @throws {GatewayError} `too_large`.
 */
export function nextParams(
  params: string,
  { state, answers }: {
    readonly state: string | undefined;
    readonly answers: ReadonlyMap<string, ClientAnswer>;
  },
): string {
  const results: string[] = [];
  const errors: string[] = [];
  for (const [key, answer] of answers) {
    if ("result" in answer) results.push(`${JSON.stringify(key)}:${answer.result}`);
    else errors.push(`${JSON.stringify(key)}:${answer.error}`);
  }
  const next = withInput(params, {
    inputResponses: `{${results.join(",")}}`,
    ...(state !== undefined && { state }),
    ...(errors.length > 0 && { errors: `{${errors.join(",")}}` }),
  });
  if (next.length <= MAX_PARAMS_LENGTH) return next;
  throw new GatewayError(
    "too_large",
    `Cannot go on with the call: the client's answers are longer than ${MAX_PARAMS_LENGTH} characters`,
  );
}

function withInput(
  params: string,
  { inputResponses, state, errors }: {
    readonly inputResponses?: string;
    readonly state?: string;
    readonly errors?: string;
  },
): string {
  const text = params === "" ? "{}" : params;
  const outline = scan(text, FLAT);
  const meta = outline.members.get("_meta")?.value;
  const before = meta?.kind === "object" ? text.slice(meta.start, meta.end) : undefined;
  const changes: Record<string, string | null> = {
    inputResponses: inputResponses ?? null,
    requestState: state ?? null,
  };
  if (before !== undefined || errors !== undefined) {
    const _meta = before ?? "{}";
    changes["_meta"] = spliceObject(_meta, scan(_meta, FLAT), {
      [INPUT_ERRORS_KEY]: errors ?? null,
    });
  }
  return spliceObject(text, outline, changes);
}
