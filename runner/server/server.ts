/**
 * The life of one MCP server: cold until somebody needs it, starting, ready, and cold again when its
 * process has ended. Whoever needs it while it starts waits for that start.
 *
 *     cold ── start ──▶ starting ── initialize, tools/list ──▶ ready
 *      ▲                    │ failed                             │ process ended
 *      └────────────────────┴────────────────────────────────────┘
 *
 * @module
 */
import { type Backoff, nextWaitMs } from "../../src/backoff.ts";
import type { Clock } from "../../src/clock.ts";
import { GatewayError, toGatewayError } from "../../src/errors.ts";
import { type Log, printable } from "../../src/log.ts";
import { initialize, type ListedTool, listTools } from "./handshake.ts";
import { Peer } from "./peer.ts";
import { describeExit, type ServerProcess } from "./process.ts";
import { StderrTail } from "./stderr-tail.ts";

/** Milliseconds from the container's start to the end of the handshake. */
export const START_DEADLINE_MS = 30_000;

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

/** A server that answers calls. */
export interface RunningServer {
  readonly peer: Peer;
  readonly process: ServerProcess;
}

/** One MCP server of the config. */
export class Server {
  readonly name: string;
  readonly #context: ServerContext;
  #tools: readonly ListedTool[] | undefined;
  #starting: Promise<RunningServer> | undefined;
  #process: ServerProcess | undefined;
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
    return this.#process?.id;
  }

  /**
   * The running server, started if need be.
   *
   * @throws {GatewayError} `server_failed`, `image_missing` or `engine_unavailable` with the cause.
   */
  running(): Promise<RunningServer> {
    if (this.#stopped) return Promise.reject(this.#failure("it is being stopped"));
    if (this.#failed !== undefined && this.#context.clock.now() < this.#failed.until) {
      return Promise.reject(this.#failed.error);
    }
    this.#starting ??= this.#start().catch((thrown: unknown) => {
      this.#starting = undefined;
      throw this.#noteFailure(toGatewayError(thrown));
    });
    return this.#starting;
  }

  /** Ends the process and goes cold; the next call starts it again. */
  async rest(): Promise<void> {
    const starting = this.#starting;
    await starting?.catch(() => {
      // A start that failed has left nothing to stop.
    });
    const process = this.#process;
    await process?.stop(STOP_GRACE_MS);
    await process?.exited;
  }

  /** Ends the process for good. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#process?.stop(STOP_GRACE_MS);
    await this.rest();
  }

  async #start(): Promise<RunningServer> {
    const { name, launch, log } = this.#context;
    const process = await launch();
    this.#process = process;
    const stderr = new StderrTail();
    process.onStderr((line) => stderr.add(line));
    process.onGarbage(() => peer.garbageLines++);
    const peer = new Peer(process, {
      notified: (method) => {
        if (method === "notifications/tools/list_changed") void this.#relist(peer);
      },
    });
    let ready = false;
    void process.exited.then((exit) => {
      const cause = describeExit(exit);
      peer.lose(
        ready
          ? new GatewayError("server_crashed", `Server "${name}" ended during the call: ${cause}`)
          : this.#failure(cause),
      );
      this.#process = undefined;
      if (!ready) return;
      this.#starting = undefined;
      if (!this.#stopped && exit.reason !== "closed") {
        log("warn", `Server "${name}" ended: ${cause}; the next call starts it again`, {
          stderr: stderr.text(),
        });
      }
    });
    try {
      await this.#handshake(peer);
    } catch (error) {
      await process.stop(0);
      log("error", printable(toGatewayError(error).message), { stderr: stderr.text() });
      throw error;
    }
    ready = true;
    this.#failures = 0;
    this.#failed = undefined;
    this.#context.changed();
    return { peer, process };
  }

  async #handshake(peer: Peer): Promise<void> {
    const seconds = START_DEADLINE_MS / 1000;
    const cancel = this.#context.clock.after(START_DEADLINE_MS, () => {
      peer.lose(this.#failure(
        `it did not answer initialize within ${seconds} s, is it an MCP server over stdio?`,
      ));
    });
    try {
      const { hasTools } = await initialize(peer);
      this.#tools = hasTools ? await this.#list(peer) : [];
    } finally {
      cancel();
    }
  }

  async #list(peer: Peer): Promise<readonly ListedTool[]> {
    const { tools, broken } = await listTools(peer);
    if (broken > 0) {
      this.#context.log(
        "warn",
        `Server "${this.name}" lists ${broken} tools without a name or a schema, or twice: left out`,
      );
    }
    return tools;
  }

  async #relist(peer: Peer): Promise<void> {
    try {
      this.#tools = await this.#list(peer);
      this.#context.changed();
    } catch (error) {
      this.#context.log("warn", `Cannot list the tools of "${this.name}" again`, {
        error: printable(toGatewayError(error).message),
      });
    }
  }

  #noteFailure(error: GatewayError): GatewayError {
    this.#failures++;
    const wait = nextWaitMs(RESTART_BACKOFF, this.#failures);
    this.#failed = { error, until: this.#context.clock.now() + wait };
    this.#context.changed();
    return error;
  }

  #failure(cause: string): GatewayError {
    return new GatewayError("server_failed", `Cannot start server "${this.name}": ${cause}`);
  }
}
