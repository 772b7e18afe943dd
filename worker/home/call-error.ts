/**
 * What the error of a call says to its client: in the codes of the client's revision, and of a call that
 * takes several rounds nothing that is true of the last one alone.
 *
 * @module
 */
import * as v from "valibot";
import { GatewayError } from "../../src/errors.ts";

/** JSON-RPC code of a resource that is not there, before MCP 2026-07-28. */
export const RESOURCE_NOT_FOUND = -32002;

/** Longest error that is looked into, in UTF-16 code units. */
const MAX_ERROR_LENGTH = 64 * 1024;

const missingResource = v.object({
  code: v.literal(-32602),
  data: v.looseObject({ uri: v.string() }),
});

const notRun = v.looseObject({ data: v.looseObject({ executed: v.literal("no") }) });

/** The raw error object in the codes that revisions before 2026-07-28 have. */
export function legacyError(method: string, error: string): string {
  const read = method === "resources/read" ? readError(error) : undefined;
  return v.is(missingResource, read)
    ? JSON.stringify({ ...read, code: RESOURCE_NOT_FOUND })
    : error;
}

/** The raw error object of a round after the first: whatever prevented it, the call has begun. */
export function laterError(error: string): string {
  const read = readError(error);
  return v.is(notRun, read)
    ? JSON.stringify({ ...read, data: { ...read.data, executed: "unknown" } })
    : error;
}

/** The same for what refuses such a round at the home. */
export function laterRefusal(error: GatewayError): GatewayError {
  if (error.executed !== "no") return error;
  const { code, message, data, cause } = error;
  return new GatewayError(
    code,
    `${message}; the call had begun, check what it did before you call again`,
    { executed: "unknown", data, cause },
  );
}

/** An error object as a value; undefined for one that is too long to be one of ours, or no JSON. */
function readError(error: string): unknown {
  try {
    return error.length > MAX_ERROR_LENGTH ? undefined : JSON.parse(error);
  } catch {
    return undefined;
  }
}
