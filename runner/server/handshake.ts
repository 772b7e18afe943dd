import * as v from "valibot";
import { isLegacyRevision, LATEST_LEGACY_REVISION } from "../../src/mcp/revisions.ts";
import { CLIENT_INFO } from "./client-info.ts";
import type { Peer } from "./peer.ts";
import { readCapabilities, type ServerCapabilities, serverFacts } from "./server-capabilities.ts";

/** Characters of a version that a message of ours quotes. */
const MAX_QUOTE_LENGTH = 40;

const initializeResult = v.object({ protocolVersion: v.string(), ...serverFacts.entries });

/**
 * The opening of MCP 2025-11-25 basic/lifecycle: initialize, then the initialized notification.
 *
 * @param capabilities JSON text of the client capabilities that are declared.
 * @throws {GatewayError} `server_failed`, or why the server is gone.
 */
export async function initialize(peer: Peer, capabilities = "{}"): Promise<ServerCapabilities> {
  const version = JSON.stringify(LATEST_LEGACY_REVISION);
  const result = await peer.request(
    "initialize",
    `{"protocolVersion":${version},"capabilities":${capabilities},"clientInfo":${CLIENT_INFO}}`,
  );
  const parsed = v.safeParse(initializeResult, JSON.parse(result));
  if (!parsed.success) {
    throw peer.failure("it answered initialize with something that is no InitializeResult");
  }
  const { protocolVersion } = parsed.output;
  if (!isLegacyRevision(protocolVersion) && protocolVersion !== "2024-11-05") {
    const quoted = JSON.stringify(protocolVersion.slice(0, MAX_QUOTE_LENGTH));
    throw peer.failure(`it speaks a protocol version that is not served: ${quoted}`);
  }
  peer.notify("notifications/initialized");
  return readCapabilities(parsed.output);
}
