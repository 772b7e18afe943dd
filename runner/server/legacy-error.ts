/**
 * Errors of legacy servers that MCP 2026-07-28 says in another way.
 *
 * @module
 */
import * as v from "valibot";
import { stringMember } from "../../src/mcp/scan.ts";
import type { Exchange } from "./exchange.ts";
import { toInputRequest } from "./input-request.ts";

const RESOURCE_NOT_FOUND = -32002;
const INVALID_PARAMS = -32602;
const URL_ELICITATION_REQUIRED = -32042;

const rpcError = v.looseObject({ code: v.number(), data: v.optional(v.unknown()) });

const urlRequired = v.object({
  code: v.literal(URL_ELICITATION_REQUIRED),
  data: v.object({
    elicitations: v.pipe(
      v.array(v.looseObject({ mode: v.literal("url"), url: v.string() })),
      v.nonEmpty(),
      v.maxLength(64),
    ),
  }),
});

/**
 * The error in today's codes: that a resource does not exist was -32002 before MCP 2026-07-28, and is
 * -32602 with its URI.
 */
export function toCanonicalError(error: string, { method, params }: Exchange): string {
  if (method !== "resources/read") return error;
  const parsed = v.safeParse(rpcError, JSON.parse(error));
  if (!parsed.success || parsed.output.code !== RESOURCE_NOT_FOUND) return error;
  const { data } = parsed.output;
  const uri = stringMember(params.text, params.outline, "uri");
  const kept = v.is(v.looseObject({}), data) ? data : {};
  return JSON.stringify({ ...parsed.output, code: INVALID_PARAMS, data: { uri, ...kept } });
}

/**
 * The pages that a user must visit before the server does what it was asked (MCP 2025-11-25
 * client/elicitation "URL Elicitation Required"), as JSON texts of input requests by key.
 *
 * @returns undefined for any other error.
 */
export function urlsToVisit(
  error: string,
  protocolVersion: string,
): readonly (readonly [key: string, text: string])[] | undefined {
  if (!error.includes(String(URL_ELICITATION_REQUIRED))) return undefined;
  const parsed = v.safeParse(urlRequired, JSON.parse(error));
  if (!parsed.success) return undefined;
  return parsed.output.data.elicitations.map((params, n) => [
    `elicitation-${n + 1}`,
    toInputRequest("elicitation/create", JSON.stringify(params), protocolVersion),
  ]);
}
