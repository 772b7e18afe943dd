import * as v from "valibot";
import { isLegacyRevision, LATEST_LEGACY_REVISION } from "../../src/mcp/revisions.ts";
import { VERSION } from "../../src/version.ts";
import type { Peer } from "./peer.ts";

/** Characters of a version that a message of ours quotes. */
const MAX_QUOTE_LENGTH = 40;

const initializeResult = v.object({
  protocolVersion: v.string(),
  // Some servers write null for what they do not have.
  capabilities: v.looseObject({ tools: v.nullish(v.unknown()) }),
});

/**
 * The opening of MCP 2025-11-25 basic/lifecycle: initialize, then the initialized notification. No
 * capability is declared, so that the server asks us for nothing.
 *
 * @returns Whether the server has tools.
 * @throws {GatewayError} `server_failed`, or why the server is gone.
 */
export async function initialize(peer: Peer): Promise<{ readonly hasTools: boolean }> {
  const result = await peer.request(
    "initialize",
    JSON.stringify({
      protocolVersion: LATEST_LEGACY_REVISION,
      capabilities: {},
      clientInfo: { name: "mcp-runner", version: VERSION },
    }),
  );
  const parsed = v.safeParse(initializeResult, JSON.parse(result));
  if (!parsed.success) {
    throw peer.failure("it answered initialize with something that is no InitializeResult");
  }
  const { protocolVersion, capabilities } = parsed.output;
  if (!isLegacyRevision(protocolVersion) && protocolVersion !== "2024-11-05") {
    const version = JSON.stringify(protocolVersion.slice(0, MAX_QUOTE_LENGTH));
    throw peer.failure(`it speaks a protocol version that is not served: ${version}`);
  }
  peer.notify("notifications/initialized");
  return { hasTools: (capabilities.tools ?? null) !== null };
}
