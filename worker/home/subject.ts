/**
 * What a canonical call names, and how that is judged for its caller: a tool, a prompt, a resource.
 *
 * @module
 */
import { GatewayError } from "../../src/errors.ts";
import {
  MAX_NAME_LENGTH,
  MAX_URI_LENGTH,
  unknownName,
  unknownResource,
} from "../../src/mcp/name.ts";
import type { Offer } from "../../src/mcp/offer.ts";
import { MAX_DEPTH, type Outline, scan, stringMember } from "../../src/mcp/scan.ts";
import { matchesAny } from "../../src/policy/pattern.ts";
import type { OutgoingCall } from "./dispatch.ts";
import { byName, byTemplate, byUri, type Rank, serversFor } from "./route.ts";

/** Most members that are looked at in `params` and, for a completion, in what it holds. */
const MAX_MEMBERS = 1_000;

/** What a call names, and how it is refused. */
export interface Subject {
  readonly rank: Rank;
  /** Which servers of a runner the caller may reach for it; undefined for all. */
  readonly servers: (offer: Offer) => readonly string[] | undefined;
  /** Makes the refusal if nobody offers it, in the same words as if it were not granted. */
  readonly unknown: () => GatewayError;
  /** What cannot be done while its runner is away: `call the tool`. */
  readonly deed: string;
}

/** `params` of a call, outlined. */
export interface Params {
  readonly text: string;
  readonly outline: Outline;
}

/**
 * Outlines the params of a call as far as is looked at them.
 *
 * @throws {GatewayError} what `scan` throws, for a text that is no object of JSON.
 */
export function outlineParams({ method, params }: OutgoingCall): Params {
  const text = params === "" ? "{}" : params;
  const keep = method === "completion/complete" ? 2 : 1;
  return { text, outline: scan(text, { keep, maxDepth: MAX_DEPTH, maxKept: MAX_MEMBERS }) };
}

/**
 * What `call` names.
 *
 * @throws {GatewayError} `invalid_params` for a call that names nothing, `unknown_tool` for a name that
 * is not granted, `unknown_method`.
 */
export function subjectOf(
  { method, caller: { tools: granted } }: OutgoingCall,
  params: Params,
): Subject {
  switch (method) {
    case "tools/call":
      return named("tool", requireString(params, "name"), granted, "call the tool");
    case "prompts/get":
      return named("prompt", requireString(params, "name"), granted, "get the prompt");
    case "resources/read":
      return located(byUri, requireString(params, "uri"), granted, "read the resource");
    case "completion/complete":
      return completed(params, granted);
    default:
      throw new GatewayError("unknown_method", "Method not found");
  }
}

function completed({ text, outline }: Params, granted: readonly string[]): Subject {
  const ref = outline.members.get("ref")?.value;
  const referred = { text, outline: ref ?? outline };
  switch (ref && stringMember(text, ref, "type")) {
    case "ref/prompt":
      return named("prompt", requireString(referred, "name"), granted, "complete the argument");
    case "ref/resource":
      return located(byTemplate, requireString(referred, "uri"), granted, "complete the argument");
    default:
      throw new GatewayError(
        "invalid_params",
        "Cannot complete an argument: params.ref is neither a ref/prompt nor a ref/resource",
      );
  }
}

function named(
  kind: "tool" | "prompt",
  name: string,
  granted: readonly string[],
  deed: string,
): Subject {
  // Made only if need be: an error with its stack costs more than all else here.
  const unknown = (): GatewayError => unknownName(kind, name);
  // Before the patterns, whose time is their length by that of the name.
  if (name.length > MAX_NAME_LENGTH || !matchesAny(granted, name)) throw unknown();
  const rank = byName(kind === "tool" ? "tools" : "prompts", name);
  // The name says which.
  return { rank, servers: () => undefined, unknown, deed };
}

function located(
  by: typeof byUri,
  uri: string,
  granted: readonly string[],
  deed: string,
): Subject {
  if (uri.length > MAX_URI_LENGTH) {
    throw new GatewayError(
      "invalid_params",
      `Cannot ${deed}: its URI is longer than ${MAX_URI_LENGTH} characters`,
    );
  }
  const servers = (offer: Offer) => serversFor(offer, uri, granted);
  return { rank: by(uri, granted), servers, unknown: () => unknownResource(uri), deed };
}

/**
 * A member of `params` that must be there.
 *
 * @throws {GatewayError} `invalid_params`.
 */
export function requireString({ text, outline }: Params, key: string): string {
  const value = stringMember(text, outline, key);
  if (value !== undefined) return value;
  throw new GatewayError("invalid_params", `Cannot serve request: "${key}" in params is missing`);
}
