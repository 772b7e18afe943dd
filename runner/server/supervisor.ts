import type { GatewayError } from "../../src/errors.ts";
import type { Fields } from "../../src/log.ts";
import type { Instance } from "./instance.ts";
import type { StartFailures } from "./start-failures.ts";

/** How the life of a process went that was ready once. */
export interface Ending {
  readonly instance: Instance;
  /** Why, if it ended by itself; undefined if it was stopped. */
  readonly crash: string | undefined;
  /** Whether it is not the server's fault: the engine went away, or somebody ended its container. */
  readonly innocent: boolean;
  readonly startedAt: number;
  /** Milliseconds from its readiness to its end. */
  readonly workedMs: number;
}

/** A start that has failed. */
export interface FailedStart {
  readonly error: GatewayError;
  readonly startedAt: number;
  readonly lastWords: Fields;
}

/** Watches over the processes of one server and says when one may be started. */
export interface Supervisor {
  /** Starts that have failed, of all launchers of the server. */
  readonly failures: StartFailures;
  /**
   * @throws {GatewayError} `server_failed` when the server has crashed so often that none may be
   * started now.
   */
  check(): void;
  /**
   * Waits until it is this launcher's turn to start a process.
   *
   * @param signal Ends the wait: nothing will be started.
   * @returns Must be called when the process is ready or the start has failed.
   */
  turn(signal: AbortSignal): Promise<() => void>;
  /** A start begins, or one that has begun is over: what is asked of the launcher has changed. */
  moved(): void;
  started(instance: Instance, ms: number): void;
  failed(start: FailedStart): void;
  ended(ending: Ending): void;
}
