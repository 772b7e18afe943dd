/**
 * The program `mcp-runner`: finds the command, runs it, and turns its end into an exit code: 0 done,
 * 1 failed, 2 wrong use or config, 130 interrupted.
 *
 * @module
 */
import { type ErrorCode, toGatewayError } from "../src/errors.ts";
import { VERSION } from "../src/version.ts";
import { commands, helpText } from "./cli/commands.ts";
import { watchSignals } from "./cli/signals.ts";
import { processTerminal, type Terminal } from "./cli/terminal.ts";

const USAGE_CODES: ReadonlySet<ErrorCode> = new Set(["usage", "config_invalid"]);

async function run(args: readonly string[], terminal: Terminal): Promise<number> {
  const [name, ...rest] = args;
  if (name === undefined || name === "help" || name === "--help" || name === "-h") {
    terminal.out(helpText());
    return 0;
  }
  if (name === "--version" || name === "-v") {
    terminal.out(VERSION);
    return 0;
  }
  const command = commands[name];
  if (command === undefined) {
    terminal.note(`mcp-runner: There is no command "${name}"; see "mcp-runner --help"`);
    return 2;
  }
  if (rest.includes("--help") || rest.includes("-h")) {
    terminal.out(`${command.summary}\n\nUsage: ${command.usage}`);
    return 0;
  }
  try {
    const load = await command.load();
    await load(rest, terminal);
    return terminal.stopped.reason === "SIGINT" ? 130 : 0;
  } catch (thrown) {
    return report(thrown, rest.includes("--json"), terminal);
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

const terminal = processTerminal(watchSignals());
const code = await run(process.argv.slice(2), terminal);
// A command that has ended is over: a socket that a peer keeps half open must not hold the program.
process.stdout.write("", () => process.exit(code));
