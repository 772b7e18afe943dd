/**
 * A real program under test: its output as it comes, its end, its exit code.
 *
 * @module
 */
import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

/** The project's folder. */
export const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** Node 24 of the project. */
export const NODE = process.execPath;

/** A built file. */
export function built(name: "worker.js" | "runner.js"): string {
  return `${ROOT}dist/${name}`;
}

/** How a program is started. */
export interface ProgramOptions {
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly cwd?: string;
}

/** A program that runs, or has ended. */
export interface Program extends AsyncDisposable {
  readonly process: ChildProcess;
  /** All of stdout so far. */
  stdout(): string;
  /** Both streams as they came. */
  output(): string;
  /** Resolves once the output matches; rejects with the output when the program ends or `ms` pass before. */
  printed(pattern: RegExp, ms?: number): Promise<RegExpExecArray>;
  /** Resolves with the exit code, or the name of the signal that ended it. */
  readonly exit: Promise<number | string>;
  /** Ends it with `signal` and waits; kills it if it takes more than 20 s. */
  stop(signal?: NodeJS.Signals): Promise<number | string>;
}

/** Starts `command` with stdin closed. */
export function startProgram(
  command: string,
  args: readonly string[],
  { env = {}, cwd = ROOT }: ProgramOptions = {},
): Program {
  const child = spawn(command, args, {
    cwd,
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let stdout = "";
  let output = "";
  const waiting = new Set<() => void>();
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
    add(text);
  });
  child.stderr.setEncoding("utf8").on("data", add);
  function add(text: string): void {
    output += text;
    for (const look of waiting) look();
  }
  const exit = new Promise<number | string>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => resolve(code ?? signal ?? "lost"));
  });

  function printed(pattern: RegExp, ms = 60_000): Promise<RegExpExecArray> {
    return new Promise((resolve, reject) => {
      const end = (): void => {
        clearTimeout(timer);
        waiting.delete(look);
      };
      const fail = (): void => {
        end();
        reject(new Error(`${command} did not print ${pattern}; it printed:\n${output}`));
      };
      const look = (): void => {
        const match = pattern.exec(output);
        if (match === null) return;
        end();
        resolve(match);
      };
      const timer = setTimeout(fail, ms);
      waiting.add(look);
      look();
      void exit.then(fail, fail);
    });
  }

  async function stop(signal: NodeJS.Signals = "SIGTERM"): Promise<number | string> {
    child.kill(signal);
    const timer = setTimeout(() => child.kill("SIGKILL"), 20_000);
    try {
      return await exit;
    } finally {
      clearTimeout(timer);
    }
  }

  return {
    process: child,
    stdout: () => stdout,
    output: () => output,
    printed,
    exit,
    stop,
    [Symbol.asyncDispose]: async () => void await stop(),
  };
}
