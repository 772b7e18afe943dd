/**
 * What a legacy client declared at `initialize`, in the form in which every canonical call repeats it.
 *
 * @module
 */
import * as v from "valibot";
import { GatewayError } from "../../src/errors.ts";
import type { LegacyRevision } from "../../src/mcp/revisions.ts";
import { TASKS_EXTENSION } from "../../src/mcp/tasks-extension.ts";

/** Capabilities as MCP 2026-07-28 writes them. */
export type ClientCapabilities = Readonly<Record<string, unknown>>;

/** Longest capabilities that a session keeps, in UTF-16 code units of their JSON text, theirs and ours. */
const MAX_LENGTH = 16 * 1024;

/** Extensions that need the modern form of results, which no legacy client understands. */
const MODERN_EXTENSIONS = [TASKS_EXTENSION];

const json = v.record(v.string(), v.unknown());
const members = v.pipe(v.unknown(), v.check((value) => !Array.isArray(value)), json);

/** What a call needs to know; other members are left out, as servers never see the client. */
const declared = v.object({
  elicitation: v.exactOptional(members),
  sampling: v.exactOptional(members),
  roots: v.exactOptional(members),
  experimental: v.exactOptional(members),
  extensions: v.exactOptional(members),
});

/**
 * Reads `params.capabilities` of `initialize`; none when they are absent.
 *
 * @param revision What it does not know, a server must not use, whatever the client says.
 * @throws {GatewayError} `invalid_params` for what is no capabilities object, or too long.
 */
export function readCapabilities(
  raw: string | undefined,
  revision: LegacyRevision,
): ClientCapabilities {
  if (raw === undefined) return {};
  const read: unknown = raw.length > MAX_LENGTH ? undefined : JSON.parse(raw);
  // Written again it may be longer: 1e20 has 21 digits.
  if (read === undefined || JSON.stringify(read).length > MAX_LENGTH) {
    throw new GatewayError(
      "invalid_params",
      `Cannot initialize: params.capabilities is longer than ${MAX_LENGTH} characters`,
    );
  }
  const parsed = v.safeParse(v.pipe(members, declared), read);
  if (!parsed.success) {
    throw new GatewayError(
      "invalid_params",
      "Cannot initialize: params.capabilities is no object of capabilities",
    );
  }
  const { elicitation, sampling, roots, experimental, extensions } = parsed.output;
  return {
    ...(elicitation !== undefined && revision !== "2025-03-26" && {
      elicitation: revision === "2025-11-25" ? elicitation : { form: {} },
    }),
    ...(sampling !== undefined && { sampling: revision === "2025-11-25" ? sampling : {} }),
    ...(roots !== undefined && { roots: {} }),
    ...(experimental !== undefined && { experimental }),
    ...(extensions !== undefined && { extensions: withoutModern(extensions) }),
  };
}

function withoutModern(extensions: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const kept = Object.entries(extensions).filter(([name]) => !MODERN_EXTENSIONS.includes(name));
  return Object.fromEntries(kept);
}

/** Whether a client with these capabilities may be sent the request `method` with these raw params. */
export function mayAsk(
  capabilities: ClientCapabilities,
  method: string,
  params: { readonly mode: string | undefined },
): boolean {
  const { elicitation, sampling, roots } = v.parse(declared, capabilities);
  switch (method) {
    case "elicitation/create":
      if (elicitation === undefined) return false;
      if (params.mode === "url") return "url" in elicitation;
      // One that names no mode means forms, the only ones when it was written.
      return "form" in elicitation || !("url" in elicitation);
    case "sampling/createMessage":
      return sampling !== undefined;
    case "roots/list":
      return roots !== undefined;
    default:
      return false;
  }
}
