/**
 * Upstreams made of the official SDKs, one for each of MCP's HTTP transports.
 *
 * @module
 */
import { getRequestListener } from "@hono/node-server";
import { McpServer as LegacyServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { SSEServerTransport } from "@modelcontextprotocol/sdk/server/sse.js";
import {
  type EventStore,
  StreamableHTTPServerTransport,
} from "@modelcontextprotocol/sdk/server/streamableHttp.js";
import {
  CallToolRequestSchema,
  isInitializeRequest,
  type JSONRPCMessage,
  ListToolsRequestSchema,
} from "@modelcontextprotocol/sdk/types.js";
import {
  createMcpHandler,
  fromJsonSchema,
  type McpHttpHandler,
  McpServer,
} from "@modelcontextprotocol/server";
import { randomUUID } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { listen, type Site } from "./upstream.ts";

/** What a test cleans up with. */
type Cleanup = Parameters<typeof listen>[0];

/** A server with sessions, and the transports of those. */
export interface LegacySite extends Omit<Site, "got"> {
  /** The live sessions by their ids. */
  readonly sessions: ReadonlyMap<string, { close(): Promise<void> }>;
  /** Forgets all sessions, as a server that was restarted. */
  forget(): void;
}

const TOOLS = [
  { name: "echo", inputSchema: { type: "object" as const } },
  { name: "ask", inputSchema: { type: "object" as const } },
  {
    name: "region",
    inputSchema: {
      type: "object" as const,
      properties: { region: { type: "string", "x-mcp-header": "Region" } },
    },
  },
];

/**
 * A server of MCP 2026-07-28 alone, whose tools are `echo`, which tells its progress, and `region`,
 * whose parameter must be in a header.
 */
export async function modernSite(
  t: Cleanup,
): Promise<Omit<Site, "got"> & { readonly handler: McpHttpHandler }> {
  const handler = createMcpHandler(() => {
    const server = new McpServer({ name: "modern", version: "1" });
    for (const { name, inputSchema } of TOOLS) {
      const schema = fromJsonSchema(inputSchema);
      server.registerTool(name, { inputSchema: schema }, async (args, { mcpReq }) => {
        const progressToken = mcpReq._meta?.progressToken;
        if (progressToken !== undefined) {
          await mcpReq.notify({
            method: "notifications/progress",
            params: { progressToken, progress: 1 },
          });
        }
        return { content: [{ type: "text", text: JSON.stringify(args) }] };
      });
    }
    return server;
  }, { legacy: "reject" });
  const answer = getRequestListener((request) => handler.fetch(request));
  const site = await listen(t, (request, response) => void answer(request, response));
  return { ...site, handler };
}

/** A server of MCP 2025-11-25 with sessions, whose streams can be resumed. */
export async function sessionSite(t: Cleanup): Promise<LegacySite> {
  const sessions = new Map<string, StreamableHTTPServerTransport>();
  const site = await listen(t, (request, response) => {
    void (async () => {
      const body: unknown = request.method === "POST" ? await readJson(request) : undefined;
      const id = request.headers["mcp-session-id"];
      const known = sessions.get(String(id));
      if (known !== undefined) return await known.handleRequest(request, response, body);
      if (id !== undefined) return response.writeHead(404).end();
      if (!isInitializeRequest(body)) return response.writeHead(400).end();
      const transport = new StreamableHTTPServerTransport({
        sessionIdGenerator: randomUUID,
        eventStore: memoryEvents(),
        retryInterval: 1,
        onsessioninitialized: (id) => void sessions.set(id, transport),
        onsessionclosed: (id) => void sessions.delete(id),
      });
      await legacyServer().connect(transport);
      await transport.handleRequest(request, response, body);
    })();
  });
  return { ...site, sessions, forget: () => sessions.clear() };
}

// oxlint-disable typescript/no-deprecated -- that the transport is deprecated is why it must be tried
/** A server of MCP 2024-11-05: HTTP+SSE. */
export async function eventStreamSite(t: Cleanup): Promise<LegacySite> {
  const sessions = new Map<string, SSEServerTransport>();
  const site = await listen(t, (request, response) => {
    const url = new URL(request.url ?? "", "http://upstream");
    if (request.method === "GET" && url.pathname === "/mcp") {
      const transport = new SSEServerTransport("/messages", response);
      sessions.set(transport.sessionId, transport);
      void legacyServer().connect(transport);
      return;
    }
    const session = sessions.get(url.searchParams.get("sessionId") ?? "");
    if (session === undefined) response.writeHead(404).end();
    else void session.handlePostMessage(request, response);
  });
  return { ...site, sessions, forget: () => sessions.clear() };
}

// oxlint-enable typescript/no-deprecated

function legacyServer(): LegacyServer {
  const whole = new LegacyServer({ name: "legacy", version: "1" }, {
    capabilities: { tools: { listChanged: true } },
  });
  const { server } = whole;
  server.setRequestHandler(ListToolsRequestSchema, () => ({ tools: TOOLS }));
  server.setRequestHandler(
    CallToolRequestSchema,
    async ({ params: { name, arguments: args, _meta } }, extra) => {
      if (_meta?.progressToken !== undefined) {
        const { progressToken } = _meta;
        await extra.sendNotification({
          method: "notifications/progress",
          params: { progressToken, progress: 1 },
        });
      }
      if (name === "ask") {
        const answer = await server.elicitInput(
          { message: "Name?", requestedSchema: { type: "object", properties: {} } },
          { relatedRequestId: extra.requestId },
        );
        return { content: [{ type: "text", text: answer.action }] };
      }
      // Makes the client come again for the rest.
      if (args?.["leave"] === true) extra.closeSSEStream?.();
      if (args?.["change"] === true) await server.sendToolListChanged();
      return { content: [{ type: "text", text: JSON.stringify(args) }] };
    },
  );
  return whole;
}

async function readJson(request: IncomingMessage): Promise<unknown> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of request) chunks.push(chunk as Uint8Array);
  return JSON.parse(Buffer.concat(chunks).toString());
}

/** Events of a session, replayed as the SDK wants it. */
function memoryEvents(): EventStore {
  const events: { readonly stream: string; readonly message: JSONRPCMessage }[] = [];
  return {
    storeEvent: (stream, message) => Promise.resolve(String(events.push({ stream, message }))),
    getStreamIdForEventId: (id) => Promise.resolve(events[Number(id) - 1]?.stream),
    replayEventsAfter: async (id, { send }) => {
      const stream = events[Number(id) - 1]?.stream ?? "";
      for (const [n, event] of events.entries()) {
        const isPriming = Object.keys(event.message).length === 0;
        if (n < Number(id) || event.stream !== stream || isPriming) continue;
        await send(String(n + 1), event.message);
      }
      return stream;
    },
  };
}
