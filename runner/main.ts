/**
 * The program `mcp-runner`: answers what needs nothing but the list of commands, and loads the rest for
 * everything else. Nothing heavy may be imported here: help must not wait for what it does not use.
 *
 * @module
 */
import { VERSION } from "../src/version.ts";
import { commands, helpText, usageText } from "./cli/commands.ts";
import { suggest } from "./config/suggest.ts";
import { outlived, REAP } from "./outlive.ts";

const [name, ...rest] = process.argv.slice(2);
const command = name !== undefined && Object.hasOwn(commands, name) ? commands[name] : undefined;
if (name === undefined || name === "help" || name === "--help" || name === "-h") say(helpText());
else if (name === "--version" || name === "-v") say(VERSION);
else if (name === REAP && !process.stdin.isTTY) {
  if (await outlived()) await run(name, rest);
} else if (command === undefined) {
  const meant = suggest(name, Object.keys(commands));
  const hint = meant === undefined ? 'see "mcp-runner --help"' : `did you mean "${meant}"`;
  process.stderr.write(`mcp-runner: There is no command "${name}", ${hint}\n`);
  process.exitCode = 2;
} else if (rest.includes("--help") || rest.includes("-h")) {
  say(`${command.summary}\n\n${usageText(command.usage)}`);
} else await run(name, rest);

async function run(command: string, args: readonly string[]): Promise<void> {
  const { runCommand } = await import("./program.ts");
  await runCommand(command, args);
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}
