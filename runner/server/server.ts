/**
 * The life of one MCP server: cold until somebody needs it, starting, ready, and cold again when its
 * process has ended. Whoever needs it while it starts waits for that start.
 *
 *     cold ── launch ──▶ starting ── initialize, tools/list ──▶ ready
 *      ▲                    │ failed                              │ process ended
 *      └────────────────────┴─────────────────────────────────────┘
 *
 * @module
 */
import { type Backoff, nextWaitMs } from "../../src/backoff.ts";
import type { Clock } from "../../src/clock.ts";
import { GatewayError, toGatewayError } from "../../src/errors.ts";
import { type Fields, type Log, printable } from "../../src/log.ts";
import { describeExit, type ServerProcess } from "./process.ts";
import { Run } from "./run.ts";
import type { ListedTool } from "./tool-list.ts";

/** Milliseconds between the end of stdin and force. */
const STOP_GRACE_MS = 2_000;

/** Waits after starts that failed; within them the last failure is the answer. */
const RESTART_BACKOFF: Backoff = { firstMs: 1_000, maxMs: 60_000 };

/** What a server needs of the runner. */
export interface ServerContext {
  readonly name: string;
  /** Starts the process in its container. */
  readonly launch: () => Promise<ServerProcess>;
  readonly clock: Clock;
  readonly log: Log;
  /** Called when the tools or the state have changed. */
  readonly changed: () => void;
}

/** One MCP server of the config. */
export class Server {
  readonly name: string;
  readonly #context: ServerContext;
  #tools: readonly ListedTool[] | undefined;
  /** The start under way, or the one that made it ready. */
  #starting: Promise<Run> | undefined;
  /** Present while there is a process. */
  #run: Run | undefined;
  #resting: Promise<void> | undefined;
  #failures = 0;
  #failed: { readonly error: GatewayError; readonly until: number } | undefined;
  #stopped = false;

  constructor(context: ServerContext) {
    this.name = context.name;
    this.#context = context;
  }

  /** Its tools as last listed, also while it is cold; undefined until it was ready once. */
  get tools(): readonly ListedTool[] | undefined {
    return this.#tools;
  }

  /** Id of the container that runs now. */
  get containerId(): string | undefined {
    return this.#run?.process.id;
  }

  /**
   * The server's run, started if need be.
   *
   * @throws {GatewayError} `server_failed`, `image_missing` or `engine_unavailable` with the cause.
   */
  running(): Promise<Run> {
    if (this.#stopped) return Promise.reject(this.#stopping());
    if (this.#resting !== undefined) return this.#resting.then(() => this.running());
    if (this.#failed !== undefined && this.#context.clock.now() < this.#failed.until) {
      return Promise.reject(this.#failed.error);
    }
    this.#starting ??= this.#start();
    return this.#starting;
  }

  /** Ends the process and goes cold; the next call starts it again. */
  rest(): Promise<void> {
    this.#resting ??= this.#end().finally(() => this.#resting = undefined);
    return this.#resting;
  }

  /** Ends the process for good; resolves when nothing of it is left, nor of a start under way. */
  async stop(): Promise<void> {
    this.#stopped = true;
    // Ends a handshake at once: a start that rest() would wait for.
    await this.#run?.process.stop(STOP_GRACE_MS);
    await this.rest();
  }

  async #end(): Promise<void> {
    await this.#starting?.catch(() => {
      // A start that failed has left nothing to stop.
    });
    const run = this.#run;
    await run?.process.stop(STOP_GRACE_MS);
    await run?.ended;
  }

  async #start(): Promise<Run> {
    let run: Run | undefined;
    try {
      const process = await this.#context.launch();
      run = new Run(process, {
        ...this.#context,
        listed: (tools) => {
          this.#tools = tools;
          this.#context.changed();
        },
      });
      this.#run = run;
      if (this.#stopped) throw this.#stopping();
      await run.open();
    } catch (thrown) {
      await run?.process.stop(0);
      this.#run = undefined;
      this.#starting = undefined;
      throw this.#noteFailure(thrown, run?.lastWords);
    }
    this.#failures = 0;
    this.#failed = undefined;
    void this.#watch(run);
    return run;
  }

  /** Goes cold when a run that was ready ends. */
  async #watch(run: Run): Promise<void> {
    const exit = await run.ended;
    this.#run = undefined;
    this.#starting = undefined;
    if (this.#stopped || exit.reason === "closed") return;
    this.#context.log(
      "warn",
      `Server "${this.name}" ended: ${describeExit(exit)}; the next call starts it again`,
      run.lastWords,
    );
  }

  #noteFailure(thrown: unknown, lastWords: Fields = {}): GatewayError {
    const error = toGatewayError(thrown);
    if (this.#stopped) return error;
    this.#failures++;
    const wait = nextWaitMs(RESTART_BACKOFF, this.#failures);
    this.#failed = { error, until: this.#context.clock.now() + wait };
    this.#context.changed();
    const named = error.message.includes(`"${this.name}"`);
    const what = named ? "" : `Cannot start server "${this.name}": `;
    this.#context.log("error", printable(what + error.message), {
      ...lastWords,
      ...(error.code === "internal" && { cause: printable(String(error.cause)) }),
    });
    return error;
  }

  #stopping(): GatewayError {
    return new GatewayError(
      "server_failed",
      `Cannot start server "${this.name}": it is being stopped`,
    );
  }
}
