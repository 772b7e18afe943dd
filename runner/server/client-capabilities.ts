/**
 * What clients declare that they can do for servers, as far as it decides how a legacy server is met:
 * its process learns it once, at `initialize`.
 *
 * @module
 */
import * as v from "valibot";
import { GatewayError } from "../../src/errors.ts";

/** A client's capabilities, as it declared them. */
export type ClientCapabilities = Readonly<Record<string, unknown>>;

/** The capabilities that let a server ask something of the client. */
const INTERACTIVE = ["elicitation", "sampling", "roots"] as const;

/** What a legacy server may know of: the rest of a modern client's capabilities is not of its world. */
const MIRRORED = [...INTERACTIVE, "experimental"] as const;

/** Everything that a client may be able to do: servers that list tools by it show them all. */
export const EVERYTHING: ClientCapabilities = {
  elicitation: { form: {}, url: {} },
  sampling: {},
  roots: { listChanged: true },
};

const object = v.looseObject({});

/** Whether a server may ask the client for anything. */
export function isInteractive(capabilities: ClientCapabilities): boolean {
  return INTERACTIVE.some((key) => v.is(object, capabilities[key]));
}

/** JSON text of what a legacy server is told of a client; the same for the same capabilities. */
export function mirrored(capabilities: ClientCapabilities): string {
  const told = MIRRORED.filter((key) => v.is(object, capabilities[key]));
  return JSON.stringify(sorted(Object.fromEntries(told.map((key) => [key, capabilities[key]]))));
}

/**
 * What a client must declare so that a server may ask it for this.
 *
 * @param params JSON text of the server's request; empty for none.
 * @returns undefined for a method that no client serves.
 */
export function neededFor(method: string, params: string): ClientCapabilities | undefined {
  switch (method) {
    case "roots/list":
      return { roots: {} };
    case "sampling/createMessage":
      return v.is(v.looseObject({ tools: v.array(v.unknown()) }), parse(params))
        ? { sampling: { tools: {} } }
        : { sampling: {} };
    case "elicitation/create":
      return v.is(v.looseObject({ mode: v.literal("url") }), parse(params))
        ? { elicitation: { url: {} } }
        : { elicitation: {} };
    default:
      return undefined;
  }
}

/** Whether `capabilities` have every member of `needed`. */
export function declares(capabilities: ClientCapabilities, needed: ClientCapabilities): boolean {
  if (v.is(v.object({ elicitation: v.strictObject({}) }), needed)) {
    const { elicitation } = capabilities;
    // An empty object means forms: url came later (MCP 2025-11-25 client/elicitation "Capabilities").
    return v.is(object, elicitation) && ("form" in elicitation || !("url" in elicitation));
  }
  return Object.entries(needed).every(([key, value]) => {
    const own = capabilities[key];
    return v.is(object, own) && (!v.is(object, value) || declares(own, value));
  });
}

/** All that lets a server ask and that the client has not declared. */
export function undeclared(capabilities: ClientCapabilities): ClientCapabilities {
  const lacking = INTERACTIVE.filter((key) => !v.is(object, capabilities[key]));
  return Object.fromEntries(lacking.map((key) => [key, {}]));
}

/** That a server cannot do without what the client has not declared. */
export function missingCapability(
  server: string,
  needed: ClientCapabilities,
  executed: "no" | "unknown",
): GatewayError {
  const names = Object.keys(needed).join(", ");
  return new GatewayError(
    "missing_capability",
    `Server "${server}" needs capabilities that the client has not declared: ${names}`,
    { executed, data: { requiredCapabilities: needed } },
  );
}

/** The value with the keys of all its objects in order, so that equal ones have equal text. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, inner]) => [key, sorted(inner)]));
}

function parse(params: string): unknown {
  return params === "" ? undefined : JSON.parse(params);
}
