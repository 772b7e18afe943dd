import { spawn } from "node:child_process";

/** What a program did. */
export interface Finished {
  /** Exit code; `null` after a signal. */
  readonly code: number | null;
  /** Last 64 KiB of what it wrote. */
  readonly stdout: string;
  readonly stderr: string;
  /** Whether it was killed because its time was over. */
  readonly late: boolean;
}

/** What to run. */
export interface Program {
  readonly file: string;
  readonly args: readonly string[];
  readonly cwd: string;
  readonly env: NodeJS.ProcessEnv;
  /** Longest run, in milliseconds. */
  readonly maxMs: number;
}

/** Output that is kept, in characters. */
const KEPT_OUTPUT = 64 * 1024;

/**
 * Runs a program to its end. It does not outlive this process.
 *
 * @throws {Error} when it cannot be started.
 */
export async function runProgram(program: Program): Promise<Finished> {
  const { file, args, cwd, env, maxMs } = program;
  const child = spawn(file, args, { cwd, env, stdio: ["ignore", "pipe", "pipe"] });
  const kill = () => child.kill("SIGKILL");
  process.once("exit", kill);
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    kill();
  }, maxMs);
  const output = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const) {
    child[name].setEncoding("utf8").on("data", (text: string) => {
      output[name] = (output[name] + text).slice(-KEPT_OUTPUT);
    });
  }
  try {
    const code = await new Promise<number | null>((resolve, reject) => {
      child.on("error", reject);
      child.on("close", resolve);
    });
    return { code, ...output, late };
  } finally {
    clearTimeout(timer);
    process.off("exit", kill);
  }
}

/** The last line of an output. */
export function lastLine(text: string): string {
  return text.trim().split("\n").at(-1) ?? "";
}
