import type { Endpoint } from "../client/mcp-client.ts";

/** Ready lines that add the endpoint to today's clients, for people to copy. */
export function clientLines({ url, token }: Endpoint): readonly string[] {
  const authorization = `Bearer ${token}`;
  const headers = { Authorization: authorization };
  const vsCode = JSON.stringify({ name: "mcp-runner", type: "http", url, headers });
  const cursor = JSON.stringify({ mcpServers: { "mcp-runner": { url, headers } } });
  return [
    "Claude Code",
    `  claude mcp add --transport http mcp-runner ${url} --header "Authorization: ${authorization}"`,
    "VS Code",
    `  code --add-mcp '${vsCode}'`,
    "Cursor (~/.cursor/mcp.json)",
    `  ${cursor}`,
  ];
}
