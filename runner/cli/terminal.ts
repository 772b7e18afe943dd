import { createInterface, type Interface } from "node:readline/promises";
import { GatewayError } from "../../src/errors.ts";
import type { Log } from "../../src/log.ts";
import { printable } from "../../src/log.ts";
import { readHidden } from "./hidden-input.ts";
import type { Signals } from "./signals.ts";

/** What a command sees of the terminal and the process that it runs in. */
export interface Terminal {
  readonly env: NodeJS.ProcessEnv;
  /** A line of the command's result, to stdout. */
  out(line: string): void;
  /** A line about what happens, to stderr. */
  note(line: string): void;
  /** Asks the user and waits for a line, or until `signal` aborts. Throws `usage` where nobody is there to answer. */
  ask(question: string, signal?: AbortSignal): Promise<string>;
  /** Asks for a line that is not shown as it is typed; where nobody is there, all of stdin. Throws `usage`. */
  askHidden(question: string): Promise<string>;
  /** Whether a person is there to answer. */
  readonly interactive: boolean;
  /** Aborted by Ctrl-C or SIGTERM; its reason is the name of the signal. */
  readonly stopped: AbortSignal;
  /** See `Signals.onReload`. */
  readonly onReload: (reload: () => void) => void;
}

/** The terminal of this process. */
export function processTerminal({ stopped, onReload }: Signals): Terminal {
  let asking: Interface | undefined;
  return {
    env: process.env,
    interactive: process.stdin.isTTY && process.stderr.isTTY,
    stopped,
    onReload,
    out: (line) => void process.stdout.write(`${line}\n`),
    note: (line) => {
      // A question that is open is asked again below, with what has been typed.
      if (asking !== undefined) process.stderr.write("\r\x1b[J");
      process.stderr.write(`${line}\n`);
      asking?.prompt(true);
    },
    askHidden: (question) => {
      const interrupt = () => void process.emit("SIGINT", "SIGINT");
      return readHidden(question, process.stdin, process.stderr, interrupt);
    },
    ask: async (question, signal) => {
      if (!process.stdin.isTTY) throw new GatewayError("usage", `Cannot ask here: ${question}`);
      const input = createInterface({ input: process.stdin, output: process.stderr });
      asking = input;
      // While it asks, Ctrl-C is a key that readline gets.
      input.on("SIGINT", () => void process.emit("SIGINT", "SIGINT"));
      try {
        const until = signal === undefined ? stopped : AbortSignal.any([stopped, signal]);
        return await input.question(question, { signal: until });
      } finally {
        asking = undefined;
        input.close();
      }
    },
  };
}

/** Asks a person for yes or no below `lines`; no unless they say yes. */
export async function confirm(
  terminal: Terminal,
  lines: readonly string[],
  question: string,
  signal?: AbortSignal,
): Promise<boolean> {
  if (terminal.stopped.aborted) throw new GatewayError("call_cancelled", "Interrupted");
  for (const line of lines) terminal.note(line);
  try {
    return /^y(?:es)?$/i.test((await terminal.ask(`${question} [y/N] `, signal)).trim());
  } catch (cause) {
    if (!terminal.stopped.aborted && signal?.aborted !== true) throw cause;
    throw new GatewayError("call_cancelled", "Interrupted", { cause });
  }
}

/**
 * Rejects when the user or the system asks the program to stop, to be raced with what takes long.
 *
 * @throws {GatewayError} `call_cancelled`.
 */
export function interrupted(terminal: Pick<Terminal, "stopped">): Promise<never> {
  const end = whenStopped(terminal).then((): never => {
    throw new GatewayError("call_cancelled", "Interrupted");
  });
  // Whether anybody waits for it yet or not.
  end.catch(() => {});
  return end;
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
