/**
 * The program `mcp-runner`: answers what needs nothing but the list of commands, and loads the rest for
 * everything else. Nothing else may be imported here: help must not wait for what it does not use.
 *
 * @module
 */
import { VERSION } from "../src/version.ts";
import { commands, helpText } from "./cli/commands.ts";

const [name, ...rest] = process.argv.slice(2);
const command = name !== undefined && Object.hasOwn(commands, name) ? commands[name] : undefined;
if (name === undefined || name === "help" || name === "--help" || name === "-h") say(helpText());
else if (name === "--version" || name === "-v") say(VERSION);
else if (command === undefined) {
  process.stderr.write(`mcp-runner: There is no command "${name}"; see "mcp-runner --help"\n`);
  process.exitCode = 2;
} else if (rest.includes("--help") || rest.includes("-h")) {
  say(`${command.summary}\n\nUsage: ${command.usage}`);
} else {
  const { runCommand } = await import("./program.ts");
  await runCommand(name, rest);
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}
