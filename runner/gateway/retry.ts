/**
 * The retry of a request that needed input (MCP 2026-07-28 mrtr): what it brings along, and its params
 * without that.
 *
 * @module
 */
import { GatewayError } from "../../src/errors.ts";
import { INPUT_ERRORS_KEY } from "../../src/mcp/meta.ts";
import {
  MAX_SERVER_DEPTH,
  type Outline,
  readString,
  scan,
  spliceObject,
} from "../../src/mcp/scan.ts";
import type { Params } from "../server/params.ts";

/** What a retry brings along. */
export interface Retry {
  /** As the client sends it; undefined when the question came without one. */
  readonly requestState: string | undefined;
  /** JSON text of each answer by its key. */
  readonly responses: ReadonlyMap<string, string>;
  /** JSON text of each JSON-RPC error in place of an answer, by its key. */
  readonly errors: ReadonlyMap<string, string>;
}

/**
 * Reads what params bring along.
 *
 * @returns undefined when they are no retry.
 * @throws {GatewayError} `invalid_params` for answers that are no object of objects.
 */
export function readRetry({ text, outline }: Params): Retry | undefined {
  const state = outline.members.get("requestState")?.value;
  const responses = outline.members.get("inputResponses")?.value;
  const errors = inputErrors({ text, outline });
  if (state === undefined && responses === undefined && errors === undefined) return undefined;
  if (state !== undefined && state.kind !== "string") {
    throw malformed("requestState is not a string");
  }
  return {
    requestState: state && readString(text.slice(state.start, state.end)),
    responses: objectsOf(text, responses, "inputResponses"),
    errors: errors === undefined
      ? new Map()
      : objectsOf(errors, scan(errors, { keep: 1, maxDepth: MAX_SERVER_DEPTH }), INPUT_ERRORS_KEY),
  };
}

/** Changes of params that take out what belongs to a retry: the server gets it apart. */
export function withoutRetry({ text, outline }: Params): Record<string, string | null> {
  const changes: Record<string, string | null> = {};
  for (const key of ["inputResponses", "requestState"]) {
    if (outline.members.has(key)) changes[key] = null;
  }
  const meta = outline.members.get("_meta")?.value;
  if (meta?.members.has(INPUT_ERRORS_KEY)) {
    changes["_meta"] = spliceObject(text, meta, { [INPUT_ERRORS_KEY]: null });
  }
  return changes;
}

function inputErrors({ text, outline }: Params): string | undefined {
  const errors = outline.members.get("_meta")?.value.members.get(INPUT_ERRORS_KEY)?.value;
  return errors && text.slice(errors.start, errors.end);
}

function objectsOf(
  text: string,
  outline: Outline | undefined,
  what: string,
): ReadonlyMap<string, string> {
  const texts = new Map<string, string>();
  if (outline === undefined) return texts;
  if (outline.kind !== "object") throw malformed(`${what} is not an object`);
  for (const [key, { value }] of outline.members) {
    if (value.kind !== "object") throw malformed(`an entry of ${what} is not an object`);
    texts.set(key, text.slice(value.start, value.end));
  }
  return texts;
}

function malformed(what: string): GatewayError {
  return new GatewayError("invalid_params", `Cannot go on with the request: ${what}`);
}
