import { qualify } from "../../src/mcp/name.ts";
import type { OfferedServer } from "../../src/mcp/offer.ts";
import { MAX_SERVER_DEPTH, scan, spliceObject } from "../../src/mcp/scan.ts";
import { isAllowed } from "../../src/policy/allowlist.ts";
import type { ListedTool } from "../server/tool-list.ts";
import type { GatewayServer } from "./route.ts";

/** What callers may use of a server: its allowed tools under their qualified names. */
export function offerOf({ server, rules }: GatewayServer): OfferedServer {
  const allowed = (server.tools ?? []).filter(({ name }) => isAllowed(rules, name));
  return {
    name: server.name,
    listed: server.tools !== undefined,
    tools: allowed.map((tool) => {
      const name = qualify({ server: server.name, tool: tool.name });
      return { name, raw: renamed(tool, name) };
    }),
  };
}

/** The tool object with its qualified name; everything else stays as the server wrote it. */
function renamed({ raw }: ListedTool, name: string): string {
  const outline = scan(raw, { keep: 1, maxDepth: MAX_SERVER_DEPTH });
  return spliceObject(raw, outline, { name: JSON.stringify(name) });
}
