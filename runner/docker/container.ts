/**
 * Starts containers whose servers speak JSON-RPC over their standard streams. Called by runner/server.
 *
 *     create (create.ts) → watch its end (exit.ts) → attach (attached.ts) → start → secrets (shim.ts)
 *                        → its init cannot run → once more without (init-fallback.ts)
 *
 * @module
 */
import type { Duplex } from "node:stream";
import { systemClock } from "../../src/clock.ts";
import type { ProcessExit } from "../server/process.ts";
import { AttachedContainer } from "./attached.ts";
import { type ContainerSpec, createContainer, removeContainer } from "./create.ts";
import { isRefusal, QUICK_MS, SLOW_MS, unlessRefused, withDeadline } from "./deadline.ts";
import type { Engine } from "./engine.ts";
import { type ExitWatch, watchExit } from "./exit.ts";
import { InitFallback } from "./init-fallback.ts";
import { readMemory, watchMemory } from "./memory-watch.ts";
import { startFailure } from "./start-failure.ts";

export type { ContainerSpec } from "./create.ts";

/** How a container ended. */
export interface Exit {
  /** Exit code of the server, 137 when it was killed; `null` when nobody can tell. */
  readonly code: number | null;
  /** Whether a process of the server was killed at the memory limit. */
  readonly oomKilled: boolean;
  /**
   * `exit`: the server ended by itself, crashed, or ran out of memory. `closed`: by `stop`. `overflow`: it
   * wrote a line longer than allowed. `flood`: it wrote more lines than allowed. `stalled`: it did not
   * read its input. `memory`: it stayed at its memory limit without an end. `outside`: somebody else asked
   * the engine to end it. `lost`: the connection to the engine broke or made no sense.
   */
  readonly reason: ProcessExit["reason"];
  /** The memory limit, present if the server has run into it. */
  readonly memoryBytes?: number;
}

/** A container whose server speaks JSON-RPC over its standard streams. */
export interface StdioContainer {
  /** Full id of the container. */
  readonly id: string;
  /** What is not as asked, one line each, for the operator. */
  readonly warnings: readonly string[];
  /** Resolves when the container is gone and its output has been handed on; never rejects. */
  readonly exited: Promise<Exit>;
  /**
   * Sends one message, without its newline.
   *
   * @throws {GatewayError} `server_failed` after the end, `overloaded` while the server does not read;
   *   nothing was sent then.
   */
  write(line: string): void;
  /** Gets each line of stdout that is UTF-8 and not empty; one listener, lines wait for it. */
  onLine(listener: (line: string) => void): void;
  /** Gets the size in bytes of each line of stdout that is not UTF-8. */
  onGarbage(listener: (bytes: number) => void): void;
  /** Gets each line of stderr; lines are cut at 8 KiB, and what exceeds 1 MiB in a second is dropped. */
  onStderr(listener: (line: string) => void): void;
  /**
   * Ends the container: stdin is closed, after `graceMs` SIGTERM follows, then it is killed. With 0 it is
   * killed at once. Resolves when it is removed; may be called again, to hurry.
   */
  stop(graceMs: number): Promise<void>;
}

/**
 * Starts a container and attaches to it.
 *
 * @throws {GatewayError} `image_missing`, `config_invalid`, `server_failed`, `engine_unavailable`; no
 *   container is left then.
 */
export async function startContainer(
  engine: Engine,
  spec: ContainerSpec,
): Promise<StdioContainer> {
  const key = `${engine.endpoint} ${spec.image}`;
  const withoutInit = async (): Promise<StdioContainer> => {
    noInit.add(key);
    try {
      return await start(engine, spec, false);
    } catch (error) {
      throw startFailure("start", spec, error);
    }
  };
  if (noInit.has(key)) return await withoutInit();
  try {
    return new InitFallback(await start(engine, spec, true), withoutInit);
  } catch (error) {
    if (isInitFailure(error)) return await withoutInit();
    throw startFailure("start", spec, error);
  }
}

/** Images in which the engine's init has failed before, by engine. */
const noInit = new Set<string>();

async function start(engine: Engine, spec: ContainerSpec, init: boolean): Promise<StdioContainer> {
  const { container, warnings, input, release } = await createContainer(engine, spec, init);
  const { id } = container;
  const { maxLineBytes, limits: { memoryBytes } } = spec;
  const remove = () => removeContainer(engine, id);
  let watch: ExitWatch | undefined;
  let socket: Duplex | undefined;
  try {
    watch = await watchExit(engine, id);
    socket = await withDeadline("attach to a container", QUICK_MS, async (abortSignal) => {
      const streams = { stream: true, hijack: true, stdin: true, stdout: true, stderr: true };
      return await container.attach({ ...streams, abortSignal }) as Duplex;
    });
    const attached = new AttachedContainer({
      id,
      warnings,
      socket,
      watch,
      maxLineBytes,
      memoryBytes,
      terminate: () => terminate(engine, id),
      remove,
      release,
    });
    await withDeadline(
      "start a container",
      SLOW_MS,
      (abortSignal) => container.start({ abortSignal }),
    );
    // Before anybody else can write, and in one piece. If it breaks off, the shim starts nothing.
    if (input !== undefined) socket.write(input);
    const unwatch = watchMemory({
      limitBytes: memoryBytes,
      clock: systemClock,
      read: () => readMemory(engine, id),
      exhausted: () => attached.kill("memory"),
    });
    void watch.gone.then(unwatch);
    return attached;
  } catch (error) {
    socket?.destroy();
    watch?.close();
    // The first error counts; what cannot be removed now is left to the reaper.
    await Promise.allSettled([remove(), release()]);
    throw error;
  }
}

async function terminate(engine: Engine, id: string): Promise<void> {
  const container = engine.docker.getContainer(id);
  // 404 and 409: it has ended meanwhile.
  await unlessRefused(
    [404, 409],
    () =>
      withDeadline(
        "stop a container",
        SIGNAL_MS,
        (abortSignal) => container.kill({ signal: "SIGTERM", abortSignal }),
      ),
  );
}

/** How long the engine may take to send a signal, in milliseconds; the removal by force follows. */
const SIGNAL_MS = 1_000;

/** Whether the engine could not run its init program, under any of the names it has had. */
function isInitFailure(error: unknown): boolean {
  return isRefusal(error) && /docker-init|\/dev\/init\b|catatonit|\btini\b/.test(error.reason);
}
