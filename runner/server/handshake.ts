import * as v from "valibot";
import { GatewayError } from "../../src/errors.ts";
import { isLegacyRevision, LATEST_LEGACY_REVISION } from "../../src/mcp/revisions.ts";
import { MAX_SERVER_DEPTH, rawMember, scan, stringMember } from "../../src/mcp/scan.ts";
import { VERSION } from "../../src/version.ts";
import type { Peer } from "./peer.ts";

/** Pages of tools/list that are read; a server that gives out more has a loop. */
const MAX_PAGES = 100;

/** A tool as its server lists it. */
export interface ListedTool {
  /** The server's own name for it. */
  readonly name: string;
  /** The whole tool object as raw JSON text. */
  readonly raw: string;
}

const initializeResult = v.object({ protocolVersion: v.string(), capabilities: v.looseObject({}) });

/**
 * The opening of MCP 2025-11-25 basic/lifecycle: initialize, then the initialized notification. No
 * capability is declared, so that the server asks us for nothing.
 *
 * @returns Whether the server has tools.
 * @throws {GatewayError} `server_failed`.
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
    throw new GatewayError(
      "server_failed",
      "The server answered initialize with something that is no InitializeResult",
    );
  }
  const { protocolVersion, capabilities } = parsed.output;
  if (!isLegacyRevision(protocolVersion) && protocolVersion !== "2024-11-05") {
    throw new GatewayError(
      "server_failed",
      `The server speaks a protocol version that is not served: ${JSON.stringify(protocolVersion)}`,
    );
  }
  peer.notify("notifications/initialized");
  return { hasTools: "tools" in capabilities };
}

/**
 * All tools of the server, every page. An entry without a name or an object as inputSchema is left
 * out: one broken tool must not hide the others.
 *
 * @returns The tools, and how many entries were left out.
 */
export async function listTools(
  peer: Peer,
): Promise<{ readonly tools: readonly ListedTool[]; readonly broken: number }> {
  const tools = new Map<string, ListedTool>();
  let broken = 0;
  let cursor: string | undefined;
  for (let page = 0; page < MAX_PAGES; page++) {
    const params = cursor === undefined ? "{}" : `{"cursor":${cursor}}`;
    const result = await peer.request("tools/list", params);
    const root = scan(result, { keep: 3, maxDepth: MAX_SERVER_DEPTH });
    for (const tool of root.members.get("tools")?.value.elements ?? []) {
      const name = stringMember(result, tool, "name");
      const schema = tool.members.get("inputSchema")?.value;
      if (name === undefined || name === "" || schema?.kind !== "object" || tools.has(name)) {
        broken++;
      } else tools.set(name, { name, raw: result.slice(tool.start, tool.end) });
    }
    cursor = rawMember(result, root, "nextCursor");
    if (cursor === undefined || cursor === "null") break;
  }
  return { tools: [...tools.values()], broken };
}
