/**
 * An MCP server with one tool and no packages: it tells the time. MCP 2025-11-25 over stdin and stdout,
 * a line for each message.
 *
 * @module
 */
import process from "node:process";
import { createInterface } from "node:readline";

const tools = [{
  name: "now",
  description: "The date and time of the server's machine, in UTC",
  inputSchema: { type: "object" },
}];

/** @param {{ method?: string; params?: { name?: string } }} request */
function answer({ method, params }) {
  if (method === "initialize") {
    return {
      result: {
        protocolVersion: "2025-11-25",
        capabilities: { tools: {} },
        serverInfo: { name: "clock", version: "1.0.0" },
      },
    };
  }
  if (method === "ping") return { result: {} };
  if (method === "tools/list") return { result: { tools } };
  if (method === "tools/call" && params?.name === "now") {
    return { result: { content: [{ type: "text", text: new Date().toISOString() }] } };
  }
  return { error: { code: -32601, message: `There is no ${method} here` } };
}

for await (const line of createInterface({ input: process.stdin })) {
  const message = JSON.parse(line);
  // A notification has no id and gets no answer.
  if (message.id === undefined) continue;
  process.stdout.write(
    `${JSON.stringify({ jsonrpc: "2.0", id: message.id, ...answer(message) })}\n`,
  );
}
