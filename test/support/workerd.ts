/**
 * Starts the workerd of node_modules on a loopback port of its own choice, for tests that need the
 * real platform.
 *
 *     await using workerd = await startWorkerd(configPath);
 *     await fetch(workerd.url);
 *
 * @module
 */
import { type ChildProcess, spawn } from "node:child_process";
import { dirname } from "node:path";
import { createInterface } from "node:readline";
import { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import * as v from "valibot";
import { followOutput, type Output } from "./output.ts";

/** A running workerd. */
export interface Workerd extends Output, AsyncDisposable {
  /** Origin of its socket, without a slash at the end. */
  readonly url: string;
  readonly process: ChildProcess;
  /** Kills it, as it does not end on SIGTERM while sockets are open; resolves when it is gone. */
  stop(): Promise<void>;
}

/** How workerd is started. */
export interface WorkerdOptions {
  /** Name of the socket in the configuration file; "http" unless given. */
  readonly socket?: string;
  /** Longest wait for it to listen, in milliseconds. */
  readonly startMs?: number;
}

const binary = fileURLToPath(new URL("../../node_modules/workerd/bin/workerd", import.meta.url));

/** What workerd writes to its control descriptor for each socket, one JSON text per line. */
const listening = v.object({ event: v.literal("listen"), socket: v.string(), port: v.number() });

/** Runs the configuration file at `configPath`, in its directory; resolves when it listens. */
export async function startWorkerd(
  configPath: string,
  { socket = "http", startMs = 20_000 }: WorkerdOptions = {},
): Promise<Workerd> {
  const child = spawn(
    binary,
    ["serve", configPath, `--socket-addr=${socket}=127.0.0.1:0`, "--control-fd=3"],
    { cwd: dirname(configPath), stdio: ["ignore", "pipe", "pipe", "pipe"] },
  );
  const closed = new Promise<void>((resolve) => void child.once("close", () => resolve()));
  const output = followOutput(child, closed);

  async function stop(): Promise<void> {
    child.kill("SIGKILL");
    await closed;
  }

  try {
    const port = await portOf(child, socket, AbortSignal.timeout(startMs));
    const url = `http://127.0.0.1:${port}`;
    return { url, process: child, ...output, stop, [Symbol.asyncDispose]: stop };
  } catch (cause) {
    await stop();
    throw new Error(`workerd did not listen; it printed:\n${output.output()}`, { cause });
  }
}

async function portOf(child: ChildProcess, socket: string, signal: AbortSignal): Promise<number> {
  const control = child.stdio[3];
  if (!(control instanceof Readable)) throw new TypeError("workerd has no control descriptor");
  for await (const line of createInterface({ input: control, signal })) {
    const said = v.parse(listening, JSON.parse(line));
    if (said.socket === socket) return said.port;
  }
  throw new Error(signal.aborted ? "workerd was too slow" : "workerd ended");
}
