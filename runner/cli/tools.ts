import { systemClock } from "../../src/clock.ts";
import { GatewayError } from "../../src/errors.ts";
import { printable } from "../../src/log.ts";
import { parseQualified } from "../../src/mcp/name.ts";
import { MAX_SERVER_DEPTH, rawMember, scan, stringMember } from "../../src/mcp/scan.ts";
import { request } from "../client/mcp-client.ts";
import { loadConfig } from "../config/config.ts";
import { openHome } from "../local/home.ts";
import { createRunner, type Runner } from "../runner.ts";
import {
  CONFIG_OPTION,
  DEFAULT_CONFIG,
  JSON_OPTION,
  readArgs,
  readArguments,
  usageError,
} from "./arguments.ts";
import { commands } from "./commands.ts";
import { humanLog, type Terminal } from "./terminal.ts";

const OPTIONS = {
  ...CONFIG_OPTION,
  ...JSON_OPTION,
  args: { type: "string" },
  url: { type: "string" },
  token: { type: "string" },
} as const;

/** Milliseconds that a call from the command line may take. */
const DEADLINE_MS = 290_000;

/** Asks a gateway, near or far: a method and raw members of its params, for the raw result. */
type Ask = (method: string, members?: Readonly<Record<string, string>>) => Promise<string>;

/** `tools ls | call`: through the endpoint of `--url`, else with containers of its own. */
export async function tools(args: readonly string[], terminal: Terminal): Promise<void> {
  const { usage } = commands["tools"] ?? { usage: "" };
  const { values, positionals: [action, name, ...rest] } = readArguments(args, OPTIONS, usage);
  const run = action === "ls" && name === undefined
    ? (ask: Ask) => list(ask, values.json ?? false, terminal)
    : action === "call" && name !== undefined && rest.length === 0
    ? (ask: Ask) => call(ask, name, readArgs(values.args ?? "{}"), values.json ?? false, terminal)
    : undefined;
  if (run === undefined) throw usageError("tools needs ls, or call and a tool's name", usage);
  if (values.url === undefined) {
    const only = action === "call" ? parseQualified(name ?? "")?.server : undefined;
    await withRunner(values.config ?? DEFAULT_CONFIG, only, terminal, run);
  } else {
    const { url, token = terminal.env["MCP_RUNNER_TOKEN"] } = values;
    if (token === undefined) throw usageError("--url needs --token, or MCP_RUNNER_TOKEN", usage);
    await run((method, members) => request({ url, token }, method, members));
  }
}

async function list(ask: Ask, json: boolean, terminal: Terminal): Promise<void> {
  const result = await ask("tools/list");
  const root = scan(result, { keep: 3, maxDepth: MAX_SERVER_DEPTH });
  if (json) {
    terminal.out(`{"ok":true,"tools":${rawMember(result, root, "tools") ?? "[]"}}`);
    return;
  }
  for (const tool of root.members.get("tools")?.value.elements ?? []) {
    const [summary = ""] = (stringMember(result, tool, "description") ?? "").split("\n");
    terminal.out(`${printable(stringMember(result, tool, "name") ?? "")}  ${printable(summary)}`);
  }
}

async function call(
  ask: Ask,
  name: string,
  args: string,
  json: boolean,
  terminal: Terminal,
): Promise<void> {
  const result = await ask("tools/call", { name: JSON.stringify(name), arguments: args });
  const root = scan(result, { keep: 3, maxDepth: MAX_SERVER_DEPTH });
  const failed = rawMember(result, root, "isError") === "true";
  if (json) terminal.out(`{"ok":${!failed},"result":${result}}`);
  else {
    for (const block of root.members.get("content")?.value.elements ?? []) {
      const text = stringMember(result, block, "text");
      const lines = (text ?? result.slice(block.start, block.end)).split("\n");
      for (const line of lines) terminal.out(printable(line));
    }
  }
  if (failed) throw new GatewayError("server_failed", `The tool "${name}" answered with an error`);
}

/** Runs with containers of this command's own, which are gone afterwards. */
async function withRunner(
  config: string,
  only: string | undefined,
  terminal: Terminal,
  run: (ask: Ask) => Promise<void>,
): Promise<void> {
  const loaded = await loadConfig(config);
  const servers = loaded.servers.filter(({ name }) => only === undefined || name === only);
  const runner = await createRunner({
    config: { ...loaded, servers },
    home: await openHome(),
    env: terminal.env,
    clock: systemClock,
    log: humanLog(terminal),
    changed: () => {},
  });
  const stopped = new Promise<never>((_, reject) => {
    terminal.stopped.addEventListener("abort", () => {
      reject(new GatewayError("call_cancelled", "Interrupted"));
    });
  });
  try {
    await Promise.race([runner.gateway.start().then(() => run(localAsk(runner))), stopped]);
  } finally {
    await runner.stop();
  }
}

function localAsk({ gateway }: Runner): Ask {
  return (method, members = {}) => {
    if (method === "tools/list") {
      const tools = gateway.offer().servers.flatMap((server) => server.tools);
      return Promise.resolve(`{"tools":[${tools.map(({ raw }) => raw).join(",")}]}`);
    }
    const params = Object.entries(members).map(([key, raw]) => `${JSON.stringify(key)}:${raw}`);
    return new Promise((resolve, reject) => {
      gateway.call({
        id: crypto.randomUUID(),
        method,
        params: `{${params.join(",")}}`,
        deadlineMs: DEADLINE_MS,
        protocolVersion: "2025-11-25",
        clientCapabilities: {},
        caller: { client: "cli" },
      }, {
        accepted: () => {},
        note: () => {},
        result: resolve,
        error: (error) => {
          const root = scan(error, { keep: 1, maxDepth: MAX_SERVER_DEPTH });
          reject(
            new GatewayError(
              "server_failed",
              printable(stringMember(error, root, "message") ?? "The call failed"),
            ),
          );
        },
      });
    });
  };
}
