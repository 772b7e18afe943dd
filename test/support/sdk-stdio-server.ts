/**
 * Servers made of the official SDKs that speak over stdio, as child processes without a container. The
 * file is the program and its starter: `node sdk-stdio-server.ts legacy`.
 *
 * Tools: `echo`; `ask` asks its client for a name, and is listed by the legacy server only to clients
 * that can be asked; `slow` runs until it is cancelled; `grow` adds the tool `grown`.
 *
 * @module
 */
import { McpServer as LegacyServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { StdioServerTransport } from "@modelcontextprotocol/sdk/server/stdio.js";
import {
  CallToolRequestSchema,
  ListResourcesRequestSchema,
  ListResourceTemplatesRequestSchema,
  ListToolsRequestSchema,
  SubscribeRequestSchema,
} from "@modelcontextprotocol/sdk/types.js";
import {
  acceptedContent,
  fromJsonSchema,
  inputRequired,
  McpServer,
} from "@modelcontextprotocol/server";
import { serveStdio } from "@modelcontextprotocol/server/stdio";
import { spawn } from "node:child_process";
import { once } from "node:events";
import process from "node:process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { ProcessExit, ServerProcess } from "../../runner/server/process.ts";

/** Which SDK a server is made of. */
export type SdkEra = "legacy" | "modern";

const OBJECT = { type: "object" as const, properties: {} };
const FORM = {
  type: "object" as const,
  properties: { name: { type: "string" as const } },
  required: ["name"],
};

/** Starts a server as a child process. */
export function startSdkServer(era: SdkEra): ServerProcess {
  const child = spawn(process.execPath, [fileURLToPath(import.meta.url), era], {
    stdio: ["pipe", "pipe", "pipe"],
  });
  const ended = once(child, "close");
  let closed = false;
  const exited = ended.then(([code]): ProcessExit => ({
    code: typeof code === "number" ? code : null,
    oomKilled: false,
    reason: closed ? "closed" : "exit",
  }));
  return {
    id: String(child.pid),
    write: (line) => void child.stdin.write(`${line}\n`),
    onLine: (listener) => void createInterface({ input: child.stdout }).on("line", listener),
    onGarbage: () => {},
    onStderr: (listener) => void createInterface({ input: child.stderr }).on("line", listener),
    exited,
    stop: async (graceMs) => {
      closed = true;
      child.stdin.end();
      const timer = setTimeout(() => child.kill("SIGKILL"), graceMs);
      await ended;
      clearTimeout(timer);
    },
  };
}

function text(said: string) {
  return { content: [{ type: "text" as const, text: said }] };
}

async function serveLegacy(): Promise<void> {
  const { server } = new LegacyServer({ name: "legacy", version: "1" }, {
    capabilities: { tools: { listChanged: true }, resources: { subscribe: true }, logging: {} },
  });
  let grown = false;
  server.setRequestHandler(ListToolsRequestSchema, () => {
    const canAsk = server.getClientCapabilities()?.elicitation !== undefined;
    const names = ["echo", "slow", "grow", ...(canAsk ? ["ask"] : []), ...(grown ? ["grown"] : [])];
    return { tools: names.map((name) => ({ name, inputSchema: OBJECT })) };
  });
  server.setRequestHandler(ListResourcesRequestSchema, () => ({
    resources: [{ uri: "note://a", name: "a" }],
  }));
  server.setRequestHandler(ListResourceTemplatesRequestSchema, () => ({ resourceTemplates: [] }));
  server.setRequestHandler(SubscribeRequestSchema, async ({ params: { uri } }) => {
    queueMicrotask(() => void server.sendResourceUpdated({ uri }));
    return {};
  });
  server.setRequestHandler(
    CallToolRequestSchema,
    async ({ params }, { signal, sendNotification }) => {
      switch (params.name) {
        case "ask": {
          const { action, content } = await server.elicitInput({
            message: "Who?",
            requestedSchema: FORM,
          });
          return text(`${action} ${String(content?.["name"])}`);
        }
        case "slow":
          await sendNotification({
            method: "notifications/message",
            params: { level: "info", data: "waiting" },
          });
          await once(signal, "abort");
          return text("cancelled");
        case "grow":
          grown = true;
          await server.sendToolListChanged();
          return text("grown");
        default:
          return text(JSON.stringify(params.arguments ?? null));
      }
    },
  );
  await server.connect(new StdioServerTransport());
}

function serveModern(): void {
  serveStdio(() => {
    const server = new McpServer({ name: "modern", version: "1" }, {
      capabilities: { tools: { listChanged: true } },
    });
    const inputSchema = fromJsonSchema(OBJECT);
    server.registerTool("echo", { inputSchema }, (args) => text(JSON.stringify(args)));
    server.registerTool("ask", { inputSchema }, (_, { mcpReq }) => {
      const answer = acceptedContent(mcpReq.inputResponses, "name");
      if (answer !== undefined) return text(`accept ${String(answer["name"])}`);
      return inputRequired({
        inputRequests: { name: inputRequired.elicit({ message: "Who?", requestedSchema: FORM }) },
        requestState: "round-1",
      });
    });
    server.registerTool("slow", { inputSchema }, async (_, { mcpReq }) => {
      await once(mcpReq.signal, "abort");
      return text("cancelled");
    });
    server.registerTool("grow", { inputSchema }, () => {
      server.registerTool("grown", { inputSchema }, () => text("grown"));
      return text("grown");
    });
    return server;
  }, { legacy: "reject" });
}

if (import.meta.main) {
  if (process.argv[2] === "legacy") await serveLegacy();
  else serveModern();
}
