import { createInterface } from "node:readline/promises";
import { GatewayError } from "../../src/errors.ts";
import type { Log } from "../../src/log.ts";
import { printable } from "../../src/log.ts";

/** What a command sees of the terminal and the process that it runs in. */
export interface Terminal {
  readonly env: NodeJS.ProcessEnv;
  /** A line of the command's result, to stdout. */
  out(line: string): void;
  /** A line about what happens, to stderr. */
  note(line: string): void;
  /** Asks the user and waits for a line. Throws `usage` where nobody is there to answer. */
  ask(question: string): Promise<string>;
  /** Aborted by Ctrl-C or SIGTERM; its reason is the name of the signal. */
  readonly stopped: AbortSignal;
}

/** The terminal of this process. */
export function processTerminal(stopped: AbortSignal): Terminal {
  return {
    env: process.env,
    stopped,
    out: (line) => void process.stdout.write(`${line}\n`),
    note: (line) => void process.stderr.write(`${line}\n`),
    ask: async (question) => {
      if (!process.stdin.isTTY) throw new GatewayError("usage", `Cannot ask here: ${question}`);
      const input = createInterface({ input: process.stdin, output: process.stderr });
      try {
        return await input.question(question, { signal: stopped });
      } finally {
        input.close();
      }
    },
  };
}

/** Resolves when the user or the system asks the program to stop. */
export function whenStopped({ stopped }: Pick<Terminal, "stopped">): Promise<void> {
  return new Promise((resolve) => {
    if (stopped.aborted) resolve();
    else stopped.addEventListener("abort", () => resolve(), { once: true });
  });
}

/** A log for people: the message, and what belongs to it indented below. */
export function humanLog(terminal: Pick<Terminal, "note">): Log {
  return (level, message, fields = {}) => {
    if (level === "debug") return;
    const mark = level === "info" ? "" : level === "warn" ? "warning: " : "error: ";
    terminal.note(`${mark}${printable(message)}`);
    for (const [name, value] of Object.entries(fields)) {
      if (value === undefined) continue;
      const lines = String(value).split("\n").map((line) => printable(line));
      if (lines.length === 1) terminal.note(`  ${name}: ${lines[0]}`);
      else {
        terminal.note(`  ${name}:`);
        for (const line of lines) terminal.note(`    ${line}`);
      }
    }
  };
}
