/**
 * Lists from the offer: which tools a caller sees, and the results that carry them.
 *
 * @module
 */
import type { Offer, OfferedTool } from "../../src/mcp/offer.ts";
import { SERVER_INFO_KEY } from "../../src/mcp/meta.ts";
import { parseQualified } from "../../src/mcp/name.ts";
import { matchesAny } from "../../src/policy/pattern.ts";
import { VERSION } from "../../src/version.ts";

/** Milliseconds for which a client may keep a list. */
const LIST_TTL_MS = 5_000;

/** How this endpoint names itself to clients (MCP `Implementation`). */
export const SERVER_INFO = JSON.stringify({
  name: "mcp-runner",
  title: "mcp-runner",
  version: VERSION,
});

/** `_meta` of a modern result that the home itself gives. */
export const META = `{${JSON.stringify(SERVER_INFO_KEY)}:${SERVER_INFO}}`;

/** What every client is told of how to use this endpoint. */
export const INSTRUCTIONS = JSON.stringify(
  "Tools of several MCP servers, each named <server>__<tool>.",
);

/** The tools of `offers` that `patterns` grant: each name once, the first offer's. */
export function grantedTools(
  offers: Iterable<Offer>,
  patterns: readonly string[],
): readonly OfferedTool[] {
  const tools = new Map<string, OfferedTool>();
  for (const offer of offers) {
    for (const server of offer.servers) {
      for (const tool of server.tools) {
        if (!tools.has(tool.name) && matchesAny(patterns, tool.name)) tools.set(tool.name, tool);
      }
    }
  }
  return [...tools.values()];
}

/** Whether `offer` has the tool `name`, or leaves it to its runner because the server is not up. */
export function mayHave(offer: Offer, name: string): boolean {
  const address = parseQualified(name);
  const server = offer.servers.find((candidate) => candidate.name === address?.server);
  return server !== undefined &&
    (!server.listed || server.tools.some((tool) => tool.name === name));
}

/** The raw result of tools/list; a legacy client gets what its revision knows. */
export function toolsResult(tools: readonly OfferedTool[], era: "modern" | "legacy"): string {
  const list = `"tools":[${tools.map((tool) => tool.raw).join(",")}]`;
  return era === "legacy"
    ? `{${list}}`
    : `{"resultType":"complete",${list},"ttlMs":${LIST_TTL_MS},"cacheScope":"private","_meta":${META}}`;
}
