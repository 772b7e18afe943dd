/**
 * Runs a container once and collects what it prints. Called by server.ts for each call of a tool.
 *
 *     create → watch its end → attach → start → stdout, stderr → exit code
 *            → stopped, too late, too much → removed by force
 *
 * @module
 */
import type { Duplex } from "node:stream";
import { GatewayError } from "../../src/errors.ts";
import { type ContainerSpec, createContainer, removeContainer } from "../docker/create.ts";
import { isRefusal, QUICK_MS, SLOW_MS, withDeadline } from "../docker/deadline.ts";
import type { Engine } from "../docker/engine.ts";
import { type ExitWatch, watchExit } from "../docker/exit.ts";
import { within } from "../docker/within.ts";
import { collect, type Collected } from "./collect.ts";

/** What a run printed and how it ended. */
export interface RunResult {
  readonly stdout: Collected;
  readonly stderr: Collected;
  /** Null when nobody can tell. */
  readonly code: number | null;
  readonly oomKilled: boolean;
  readonly warnings: readonly string[];
}

/** How long output and end of a container may lie apart, in milliseconds. */
const DRAIN_MS = 2_000;

/**
 * Runs the container of `spec` to its end, without input.
 *
 * @param signal Ends the run; the container is gone before the promise rejects with its reason.
 * @throws {GatewayError} `image_missing`, `config_invalid`, `server_failed`, `engine_unavailable`.
 */
export async function runOnce(
  engine: Engine,
  spec: ContainerSpec,
  signal: AbortSignal,
): Promise<RunResult> {
  signal.throwIfAborted();
  // Without an init: what is one program needs nobody who reaps.
  const { container, warnings, release } = await createContainer(engine, spec, false);
  const remove = () => removeContainer(engine, container.id);
  let watch: ExitWatch | undefined;
  let socket: Duplex | undefined;
  let isGone = false;
  try {
    watch = await watchExit(engine, container.id);
    socket = await withDeadline("attach to a container", QUICK_MS, async (abortSignal) => {
      const streams = { stream: true, hijack: true, stdin: true, stdout: true, stderr: true };
      return await container.attach({ ...streams, abortSignal }) as Duplex;
    });
    const output = collect(socket);
    signal.throwIfAborted();
    await withDeadline(
      "start a container",
      SLOW_MS,
      (abortSignal) => container.start({ abortSignal }),
    );
    socket.end();
    const gone = await unlessAborted(watch.gone, signal);
    isGone = gone.removed;
    if (!gone.ended) {
      throw new GatewayError("server_failed", "The connection to the Docker engine broke", {
        executed: "unknown",
      });
    }
    await within(DRAIN_MS, output.closed);
    return { ...output.taken(), code: gone.code, oomKilled: gone.oomKilled, warnings };
  } catch (error) {
    throw isRefusal(error)
      ? new GatewayError("server_failed", `Cannot run image "${spec.image}": ${error.reason}`, {
        cause: error,
      })
      : error;
  } finally {
    // Before the container is killed: see runner/docker/attached.ts.
    socket?.destroy();
    watch?.close();
    // What cannot be removed now is left to the reaper.
    await Promise.allSettled([...(isGone ? [] : [remove()]), release()]);
  }
}

async function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  let stop: () => void = () => {};
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(signal.reason as Error);
    signal.addEventListener("abort", stop, { once: true });
    if (signal.aborted) stop();
  });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener("abort", stop);
  }
}
