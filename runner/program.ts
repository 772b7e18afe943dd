/**
 * Runs the commands, and turns their end into an exit code: 0 done, 1 failed, 2 wrong use or config, 130
 * interrupted. Loaded by main.ts once it is clear that there is something to run.
 *
 * @module
 */
import { type ErrorCode, toGatewayError } from "../src/errors.ts";
import { watchSignals } from "./cli/signals.ts";
import { processTerminal, type Terminal } from "./cli/terminal.ts";

/** Runs a command, for its exit code if not 0; it rejects with a `GatewayError` that says what is wrong. */
type Run = (args: readonly string[], terminal: Terminal) => Promise<unknown>;

/** The commands of cli/commands.ts, and the one of outlive.ts. */
const LOADS: Readonly<Record<string, () => Promise<Run>>> = {
  up: async () => (await import("./cli/up.ts")).up,
  connect: async () => (await import("./cli/connect.ts")).connect,
  disconnect: async () => (await import("./cli/disconnect.ts")).disconnect,
  tools: async () => (await import("./cli/tools.ts")).tools,
  prompts: async () => (await import("./cli/prompts.ts")).prompts,
  resources: async () => (await import("./cli/resources.ts")).resources,
  add: async () => (await import("./cli/add.ts")).add,
  import: async () => (await import("./cli/import.ts")).importServers,
  approve: async () => (await import("./cli/approve.ts")).approve,
  inspect: async () => (await import("./cli/inspect.ts")).inspect,
  calls: async () => (await import("./cli/calls.ts")).calls,
  catalog: async () => (await import("./cli/catalog.ts")).catalog,
  login: async () => (await import("./cli/login.ts")).login,
  logout: async () => (await import("./cli/login.ts")).logout,
  secret: async () => (await import("./cli/secret.ts")).secret,
  token: async () => (await import("./cli/token.ts")).token,
  prune: async () => (await import("./cli/prune.ts")).prune,
  reap: async () => (await import("./cli/reap.ts")).reap,
};

const USAGE_CODES: ReadonlySet<ErrorCode> = new Set(["usage", "config_invalid"]);

/** Runs the command `name`, and ends the process with its exit code. */
export async function runCommand(name: string, args: readonly string[]): Promise<void> {
  const terminal = processTerminal(watchSignals());
  const code = await run(name, args, terminal);
  // A command that has ended is over: a socket that a peer keeps half open must not hold the program.
  process.stdout.write("", () => process.exit(code));
}

async function run(name: string, args: readonly string[], terminal: Terminal): Promise<number> {
  try {
    const load = LOADS[name];
    if (load === undefined) throw new TypeError(`The command ${name} has no program`);
    const command = await load();
    const code = await command(args, terminal);
    if (terminal.stopped.reason === "SIGINT") return 130;
    return typeof code === "number" ? code : 0;
  } catch (thrown) {
    return report(thrown, args.includes("--json"), terminal);
  }
}

function report(thrown: unknown, json: boolean, terminal: Terminal): number {
  if (terminal.stopped.reason === "SIGINT") return 130;
  const error = toGatewayError(thrown);
  const { code, message } = error;
  terminal.note(`mcp-runner: ${message}`);
  if (code === "internal") {
    const { cause } = error;
    terminal.note(cause instanceof Error ? cause.stack ?? cause.message : String(cause));
  }
  if (json) terminal.out(JSON.stringify({ ok: false, error: { code, message } }));
  return USAGE_CODES.has(code) ? 2 : 1;
}
