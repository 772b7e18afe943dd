/**
 * A program that the benchmark starts, with everything that it starts in turn: a process group, which
 * ends at the latest with the benchmark itself.
 *
 * @module
 */
import { type ChildProcess, spawn } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";

/** Milliseconds to wait for something to be printed. */
const PRINT_DEADLINE_MS = 60_000;

/** Milliseconds for an orderly end, before the program is killed. */
const STOP_MS = 15_000;

/** Characters of output that are kept. */
const KEPT_LENGTH = 64 * 1024;

/** How often to look whether a process group is gone, in milliseconds. */
const GONE_CHECK_MS = 20;

const windows = process.platform === "win32";

/** Programs that may still run. */
const running = new Set<Program>();

// Whatever ends this process: what it started must not outlive it.
process.on("exit", () => {
  for (const program of running) program.kill("SIGKILL");
});

/** What to start, on the Node that runs the benchmark. */
export interface ProgramOptions {
  /** For messages. */
  readonly name: string;
  /** Arguments of Node. */
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
}

/** A started program. */
export class Program implements AsyncDisposable {
  readonly #name: string;
  readonly #signal: AbortSignal;
  readonly #child: ChildProcess;
  readonly #ended: Promise<number | null>;
  #output = "";
  #closed = false;
  #look: () => void = () => {};

  constructor({ name, args, env, signal }: ProgramOptions) {
    signal.throwIfAborted();
    this.#name = name;
    this.#signal = signal;
    this.#child = spawn(process.execPath, args, {
      env: { ...ownEnv(), ...env },
      stdio: ["ignore", "pipe", "pipe"],
      detached: !windows,
    });
    running.add(this);
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.setEncoding("utf8").on("data", (text: string) => this.#print(text));
    }
    this.#ended = new Promise((resolve) => {
      this.#child.on("error", (error) => this.#print(error.message));
      this.#child.on("close", resolve);
    });
    void this.#ended.then(() => {
      this.#closed = true;
      this.#look();
    });
  }

  /**
   * Waits until `pattern` is found in what was printed after the last find.
   *
   * @returns Its first group.
   * @throws {Error} With the last lines, when the program ends or a minute passes before.
   */
  printed(pattern: RegExp): Promise<string> {
    return new Promise((resolve, reject) => {
      const settle = (act: () => void): void => {
        clearTimeout(timer);
        this.#signal.removeEventListener("abort", abort);
        this.#look = () => {};
        act();
      };
      const fail = (what: string): void => {
        const last = this.#output.trimEnd().split("\n").slice(-6).join("\n");
        settle(() => reject(new Error(`${this.#name} ${what}\n${last}`)));
      };
      const abort = (): void => settle(() => reject(this.#signal.reason as Error));
      const timer = setTimeout(() => {
        fail(`did not print ${pattern.source} within ${PRINT_DEADLINE_MS / 1_000} s`);
      }, PRINT_DEADLINE_MS);
      this.#signal.addEventListener("abort", abort);
      this.#look = () => {
        const found = pattern.exec(this.#output);
        if (found !== null) {
          this.#output = this.#output.slice(found.index + found[0].length);
          settle(() => resolve(found[1] ?? found[0]));
        } else if (this.#closed) fail(`ended before it printed ${pattern.source}`);
      };
      this.#look();
      if (this.#signal.aborted) abort();
    });
  }

  /**
   * Waits for the program to end by itself.
   *
   * @returns What it printed.
   * @throws {Error} When it failed.
   */
  async end(): Promise<string> {
    const code = await this.#ended;
    running.delete(this);
    if (code === 0) return this.#output;
    throw new Error(`${this.#name} ended with ${code}\n${this.#output.trimEnd()}`);
  }

  /** Sends a signal to the program and all that it has started; false when none of them is left. */
  kill(signal: NodeJS.Signals | 0): boolean {
    const { pid } = this.#child;
    if (pid === undefined) return false;
    try {
      return windows ? this.#child.kill(signal) : process.kill(-pid, signal);
    } catch {
      return false; // ESRCH: the group is empty
    }
  }

  /** Ends the program and all that it has started. */
  async [Symbol.asyncDispose](): Promise<void> {
    const deadline = performance.now() + STOP_MS;
    this.kill("SIGTERM");
    while (this.kill(0)) {
      if (performance.now() > deadline) this.kill("SIGKILL");
      await sleep(GONE_CHECK_MS);
    }
    running.delete(this);
  }

  #print(text: string): void {
    this.#output = (this.#output + text).slice(-KEPT_LENGTH);
    this.#look();
  }
}

/** Our environment, without what would configure the product. */
function ownEnv(): NodeJS.ProcessEnv {
  const names = Object.keys(process.env).filter((name) => !/^MCP_RUNNER_/i.test(name));
  return Object.fromEntries(names.map((name) => [name, process.env[name]]));
}
