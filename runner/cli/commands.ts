import { VERSION } from "../../src/version.ts";
import type { Terminal } from "./terminal.ts";

/** Runs a command; it rejects with a `GatewayError` that says what is wrong. */
export type Run = (args: readonly string[], terminal: Terminal) => Promise<void>;

/** A command of the program. Its code is loaded only when it runs. */
export interface Command {
  readonly usage: string;
  readonly summary: string;
  readonly load: () => Promise<Run>;
}

/** The commands by name, in the order of the help. */
export const commands: Readonly<Record<string, Command>> = {
  up: {
    usage: "mcp-runner up [--config <file>] [--port <number>] [--once] [--json] " +
      "[--try <tool> [--args <json>]]",
    summary: "Run the servers of mcp-runner.yaml with a worker on this machine",
    load: async () => (await import("./up.ts")).up,
  },
  connect: {
    usage: "mcp-runner connect [<worker URL>] [--code <join code>] [--config <file>] [--json]",
    summary: "Run the servers of mcp-runner.yaml for a worker elsewhere",
    load: async () => (await import("./connect.ts")).connect,
  },
  disconnect: {
    usage: "mcp-runner disconnect [<worker URL>] [--json]",
    summary: "Give this machine's access to a worker back and forget it",
    load: async () => (await import("./disconnect.ts")).disconnect,
  },
  tools: {
    usage: "mcp-runner tools ls | call <server>__<tool> [--args <json>] " +
      "[--url <MCP URL> --token <token>] [--config <file>] [--json]",
    summary: "List or call the allowed tools, here or through a worker",
    load: async () => (await import("./tools.ts")).tools,
  },
  prompts: {
    usage: "mcp-runner prompts ls | get <server>__<prompt> [--args <json>] " +
      "[--url <MCP URL> --token <token>] [--config <file>] [--json]",
    summary: "List or get the allowed prompts, here or through a worker",
    load: async () => (await import("./prompts.ts")).prompts,
  },
  resources: {
    usage: "mcp-runner resources ls | read <URI> " +
      "[--url <MCP URL> --token <token>] [--config <file>] [--json]",
    summary: "List or read the allowed resources, here or through a worker",
    load: async () => (await import("./resources.ts")).resources,
  },
  inspect: {
    usage: "mcp-runner inspect [<server>] [--config <file>] [--json]",
    summary: "Start the servers and say what clients see of each, and why not the rest",
    load: async () => (await import("./inspect.ts")).inspect,
  },
  token: {
    usage: "mcp-runner token create [--name <name>] [--tools <pattern>]... [--days <number>] | " +
      "ls | revoke <id> [--worker <URL>] [--json]",
    summary: "Make, list and revoke the tokens of a worker's clients",
    load: async () => (await import("./token.ts")).token,
  },
};

/** What `mcp-runner --help` prints. */
export function helpText(): string {
  const width = Math.max(...Object.keys(commands).map((name) => name.length));
  const lines = Object.entries(commands).map(
    ([name, { summary }]) => `  ${name.padEnd(width)}  ${summary}`,
  );
  return [
    `mcp-runner ${VERSION}: your MCP servers, in containers, for every AI client`,
    "",
    ...lines,
    "",
    "Every command takes --help. --version prints the version.",
  ].join("\n");
}
