import { Buffer } from "node:buffer";
import { spawn } from "node:child_process";
import { GatewayError } from "../../src/errors.ts";

/** A program whose output is, or may be, a secret. */
export interface SecretProgram {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Written to its stdin, which is then closed. */
  readonly input?: string;
  /** Milliseconds after which it is ended. */
  readonly deadlineMs: number;
  /** Most bytes of stdout. */
  readonly maxBytes: number;
}

/** What came of a program that has ended. */
export interface ProgramEnd {
  /** Exit code, or the name of the signal that ended it. */
  readonly code: number | string;
  readonly stdout: string;
}

/**
 * Runs a program without a shell and waits for its end. Its stderr is not read, and nothing of its
 * output is logged. It does not get our own key.
 *
 * @throws {GatewayError} `secret_missing`, to be completed by the caller: the message is the reason alone.
 */
export function runProgram(
  { command, args, env, input, deadlineMs, maxBytes }: SecretProgram,
): Promise<ProgramEnd> {
  const { MCP_RUNNER_KEY: _ours, ...theirs } = env;
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      env: theirs,
      stdio: [input === undefined ? "ignore" : "pipe", "pipe", "ignore"],
      windowsHide: true,
    });
    const chunks: Buffer[] = [];
    let length = 0;
    const timer = setTimeout(
      () => fail(`it did not end within ${deadlineMs / 1_000} seconds`),
      deadlineMs,
    );

    function fail(why: string, cause?: unknown): void {
      clearTimeout(timer);
      // What it has started may hold the pipes open: we do not wait for that.
      child.kill("SIGKILL");
      child.stdout?.destroy();
      child.stdin?.destroy();
      reject(new GatewayError("secret_missing", why, { cause }));
    }

    child.on("error", (error: NodeJS.ErrnoException) => {
      const missing = error.code === "ENOENT";
      fail(missing ? "it is not installed" : `the system answers ${error.code}`, error);
    });
    child.stdout?.on("data", (chunk: Buffer) => {
      length += chunk.length;
      if (length > maxBytes) fail(`it printed more than ${maxBytes} bytes`);
      else chunks.push(chunk);
    });
    child.on("close", (code, signal) => {
      clearTimeout(timer);
      try {
        const stdout = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })
          .decode(Buffer.concat(chunks));
        resolve({ code: code ?? signal ?? "lost", stdout });
      } catch (cause) {
        fail("what it printed is not UTF-8", cause);
      }
    });
    // A program that reads nothing ends with its exit code, which says more than a broken pipe.
    child.stdin?.on("error", () => {});
    child.stdin?.end(input);
  });
}
