import { GatewayError } from "../../src/errors.ts";
import { MAX_SERVER_DEPTH, type Outline, scan, stringMember } from "../../src/mcp/scan.ts";
import { MAX_PAYLOAD_LENGTH } from "../../src/tunnel/frame.ts";
import type { Peer } from "./peer.ts";

/** Pages of tools/list that are read; a server that gives out more has a loop. */
const MAX_PAGES = 100;

/**
 * Deepest nesting of a tool: far above what schemas need, and far enough below MAX_SERVER_DEPTH for
 * the offer that the tool becomes part of. A worker ends the tunnel over an offer that is too deep.
 */
const MAX_TOOL_DEPTH = 128;

/** Most entries of one page. */
const MAX_ENTRIES = 100_000;

/** A tool as its server lists it. */
export interface ListedTool {
  /** The server's own name for it. */
  readonly name: string;
  /** The whole tool object as raw JSON text. */
  readonly raw: string;
}

/** What a server lists. */
export interface ToolList {
  /** In the server's order. */
  readonly tools: readonly ListedTool[];
  /** Entries that were left out. */
  readonly broken: number;
}

/**
 * All tools of the server, every page. An entry without a name or an object as inputSchema, one that
 * comes again, and what is more than a tunnel can carry is left out: one broken tool must not hide the
 * others.
 *
 * @throws {GatewayError} `server_failed` with the server's own error or when its list cannot be read,
 * or why it is gone.
 */
export async function listTools(peer: Peer): Promise<ToolList> {
  const tools = new Map<string, ListedTool>();
  let broken = 0;
  let length = 0;
  let cursor: string | undefined;
  for (let page = 0; page < MAX_PAGES && length <= MAX_PAYLOAD_LENGTH; page++) {
    const result = await peer.request(
      "tools/list",
      cursor === undefined ? "{}" : `{"cursor":${cursor}}`,
    );
    const root = readPage(peer, result);
    for (const { start, end } of root.members.get("tools")?.value.elements ?? []) {
      const tool = readTool(result.slice(start, end));
      length += end - start;
      if (tool === undefined || tools.has(tool.name) || length > MAX_PAYLOAD_LENGTH) broken++;
      else tools.set(tool.name, tool);
    }
    const next = nextCursor(result, root);
    if (next === undefined || next === cursor) break;
    cursor = next;
  }
  return { tools: [...tools.values()], broken };
}

function readPage(peer: Peer, result: string): Outline {
  try {
    return scan(result, { keep: 2, maxDepth: MAX_SERVER_DEPTH, maxKept: MAX_ENTRIES });
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error;
    throw peer.failure("its list of tools cannot be read");
  }
}

/** The tool that `raw` is; undefined when it is none. */
function readTool(raw: string): ListedTool | undefined {
  try {
    const outline = scan(raw, { keep: 1, maxDepth: MAX_TOOL_DEPTH });
    const name = stringMember(raw, outline, "name");
    const schema = outline.members.get("inputSchema")?.value;
    return name === undefined || name === "" || schema?.kind !== "object"
      ? undefined
      : { name, raw };
  } catch (error) {
    // Too deep, or a key twice.
    if (!(error instanceof GatewayError)) throw error;
    return undefined;
  }
}

/** The cursor of the next page as JSON text; undefined on the last page. */
function nextCursor(result: string, root: Outline): string | undefined {
  const cursor = root.members.get("nextCursor")?.value;
  return cursor?.kind === "string" ? result.slice(cursor.start, cursor.end) : undefined;
}
