/**
 * A real program under test: its output as it comes, its end, its exit code.
 *
 * @module
 */
import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { followOutput, type Output } from "./output.ts";

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
export interface Program extends Output, AsyncDisposable {
  readonly process: ChildProcess;
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
  const exit = new Promise<number | string>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => resolve(code ?? signal ?? "lost"));
  });

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
    ...followOutput(child, exit),
    exit,
    stop,
    [Symbol.asyncDispose]: async () => void await stop(),
  };
}
