import { VERSION } from "../../src/version.ts";

/** A command of the program, for its help. What it does is in program.ts. */
export interface Command {
  readonly usage: string;
  readonly summary: string;
}

/** The commands by name, in the order of the help. */
export const commands: Readonly<Record<string, Command>> = {
  up: {
    usage:
      "mcp-runner up [--config <file>] [--profile <name>] [--yes] [--port <number>] [--once] " +
      "[--json] [--try <tool> [--args <json>]]",
    summary: "Run the servers of mcp-runner.yaml with a worker on this machine",
  },
  connect: {
    usage: "mcp-runner connect [<worker URL>] [--code <join code>] [--config <file>] " +
      "[--profile <name>] [--yes] [--json]",
    summary: "Run the servers of mcp-runner.yaml for a worker elsewhere",
  },
  disconnect: {
    usage: "mcp-runner disconnect [<worker URL>] [--json]",
    summary: "Give this machine's access to a worker back and forget it",
  },
  tools: {
    usage: "mcp-runner tools ls | call <server>__<tool> [--args <json>] " +
      "[--url <MCP URL> --token <token> | --config <file> --profile <name> --yes] [--json]",
    summary: "List or call the allowed tools, here or through a worker",
  },
  prompts: {
    usage: "mcp-runner prompts ls | get <server>__<prompt> [--args <json>] " +
      "[--url <MCP URL> --token <token> | --config <file> --profile <name> --yes] [--json]",
    summary: "List or get the allowed prompts, here or through a worker",
  },
  resources: {
    usage: "mcp-runner resources ls | read <URI> " +
      "[--url <MCP URL> --token <token> | --config <file> --profile <name> --yes] [--json]",
    summary: "List or read the allowed resources, here or through a worker",
  },
  add: {
    usage: "mcp-runner add <source> [--name <name>] [--allow <tool>]... " +
      "[--set <parameter>=<value>]... [--network <host>:<port>]... [--no-start] [--config <file>] " +
      "[--yes] [--json] [-- <argument>...]",
    summary: "See what a server would run, pick its tools, and add it to mcp-runner.yaml",
  },
  import: {
    usage: "mcp-runner import <client's file or ~/.docker/mcp> [--allow <tool>]... " +
      "[--secrets <file>] [--dry-run] [--config <file>] [--json]",
    summary: "Bring along the servers of Claude, Cursor, VS Code or Docker's gateway",
  },
  approve: {
    usage: "mcp-runner approve [<server>...] [--config <file>] [--profile <name>] [--yes] [--json]",
    summary: "See how servers are run, and agree to it",
  },
  inspect: {
    usage: "mcp-runner inspect [<server>] [--config <file>] [--profile <name>] [--yes] [--json]",
    summary: "Say how each server is, what clients see of it, and why not the rest",
  },
  calls: {
    usage: "mcp-runner calls [--server <name>] [--tool <pattern>] [--client <id>] " +
      "[--status <status>] [--since <10m | time>] [--limit <number>] [--follow] [--all-events] " +
      "[--json]",
    summary: "Show what was called, by whom, how long it took and how it ended",
  },
  catalog: {
    usage: "mcp-runner catalog ls | search <words> | show <entry> [--refresh] [--config <file>] " +
      "[--json]",
    summary: "List, search and show the servers that catalogs describe",
  },
  login: {
    usage: "mcp-runner login <server> [--no-browser] [--port <number>] [--client-metadata] " +
      "[--config <file>] [--json]",
    summary: "Log in to a server at a URL, in a browser",
  },
  logout: {
    usage: "mcp-runner logout <server> [--config <file>] [--json]",
    summary: "End a login and forget it",
  },
  secret: {
    usage: "mcp-runner secret set <name> [--store file|keychain] | ls [--config <file>] | " +
      "rm <name>... [--json]",
    summary: "Keep secrets for servers: the value of set is asked for, or read from stdin",
  },
  token: {
    usage: "mcp-runner token create [--name <name>] [--tools <pattern>]... [--days <number>] | " +
      "ls | revoke <id> [--worker <URL>] [--json]",
    summary: "Make, list and revoke the tokens of a worker's clients",
  },
  prune: {
    usage: "mcp-runner prune [--volumes] [--json]",
    summary: "Remove what killed runners left, and with --volumes the data of servers",
  },
};

/** Columns that a usage is wrapped at. */
const WIDTH = 80;

/** How a command is used, in lines for a terminal: wrapped between its parts, never within brackets. */
export function usageText(usage: string): string {
  const parts: string[] = [];
  for (const word of usage.split(" ")) {
    const open = parts.at(-1);
    if (open !== undefined && depth(open) > 0) parts[parts.length - 1] = `${open} ${word}`;
    else parts.push(word);
  }
  const lines = ["Usage:"];
  for (const part of parts) {
    const line = `${lines.at(-1)} ${part}`;
    if (line.length <= WIDTH) lines[lines.length - 1] = line;
    else lines.push(`  ${part}`);
  }
  return lines.join("\n");
}

/** How many brackets are open at the end of `text`. */
function depth(text: string): number {
  return (text.match(/[[<]/g)?.length ?? 0) - (text.match(/[\]>]/g)?.length ?? 0);
}

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
