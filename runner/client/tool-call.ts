import {
  MAX_SERVER_DEPTH,
  type Outline,
  rawMember,
  scan,
  stringMember,
} from "../../src/mcp/scan.ts";
import type { HeaderFields } from "../upstream/mirror.ts";
import { annotationsOf, paramHeaderFields } from "../upstream/param-headers.ts";
import { type Endpoint, request } from "./mcp-client.ts";

/** Pages of the list of tools that are read. */
const MAX_PAGES = 100;

/** A tool to call, as JSON text. */
export interface ToolCall {
  readonly name: string;
  readonly arguments: string;
}

/** Calls a tool, with the headers that its schema asks for. Gives and throws what `request` does. */
export async function callTool(endpoint: Endpoint, call: ToolCall): Promise<string> {
  const send = await prepareCall(endpoint, call);
  return await send();
}

/**
 * Looks a tool up in the endpoint's list, where its schema says which arguments headers repeat (MCP
 * 2026-07-28 streamable-http "Custom Headers from Tool Parameters").
 *
 * @returns Makes the call, each time anew. A tool that is not listed is called without such headers.
 */
export async function prepareCall(
  endpoint: Endpoint,
  { name, arguments: args }: ToolCall,
): Promise<() => Promise<string>> {
  const headers = await headersOf(endpoint, String(JSON.parse(name)), args);
  return () => request(endpoint, "tools/call", { name, arguments: args }, headers);
}

async function headersOf(endpoint: Endpoint, name: string, args: string): Promise<HeaderFields> {
  let cursor: string | undefined;
  for (let page = 0; page < MAX_PAGES; page++) {
    const members = cursor === undefined ? undefined : { cursor };
    const list = await request(endpoint, "tools/list", members);
    const root = scan(list, { keep: 3, maxDepth: MAX_SERVER_DEPTH });
    const tool = toolOf(list, root, name);
    if (tool !== undefined) return paramHeaderFields(annotationsOf(list, tool), args);
    const next = rawMember(list, root, "nextCursor");
    if (next === undefined || next === cursor) break;
    cursor = next;
  }
  return {};
}

function toolOf(list: string, root: Outline, name: string): Outline | undefined {
  const tools = root.members.get("tools")?.value.elements ?? [];
  return tools.find((tool) => stringMember(list, tool, "name") === name);
}
