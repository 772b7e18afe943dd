/**
 * One run of a server: its process, from the launch over the handshake to its end. server.ts makes
 * one for each start.
 *
 * @module
 */
import type { Clock } from "../../src/clock.ts";
import { GatewayError, toGatewayError } from "../../src/errors.ts";
import { type Fields, type Log, printable } from "../../src/log.ts";
import { initialize } from "./handshake.ts";
import { Peer } from "./peer.ts";
import { describeExit, type ProcessExit, type ServerProcess } from "./process.ts";
import { StderrTail } from "./stderr-tail.ts";
import { Throttle } from "./throttle.ts";
import { type ListedTool, listTools } from "./tool-list.ts";

/** Milliseconds from the container's start to the end of the handshake. */
export const START_DEADLINE_MS = 30_000;

/** Milliseconds between two lists that a server asks for by saying that its tools have changed. */
const RELIST_PAUSE_MS = 1_000;

/** What a run needs to know. */
export interface RunContext {
  /** Name of the server. */
  readonly name: string;
  readonly clock: Clock;
  readonly log: Log;
  /** Called with the tools when they are known, and when they have changed. */
  readonly listed: (tools: readonly ListedTool[]) => void;
}

/** A process and what it has said so far. */
export class Run {
  readonly process: ServerProcess;
  readonly peer: Peer;
  /** Resolves when the process has ended and its requests have been told. */
  readonly ended: Promise<ProcessExit>;
  readonly #context: RunContext;
  readonly #stderr = new StderrTail();
  readonly #relist: Throttle;
  #state: "starting" | "ready" | "ended" = "starting";
  #exit: ProcessExit | undefined;
  #tools: readonly ListedTool[] = [];
  #hasTools = false;
  #broken = 0;
  /** Whether the tools have changed while they were listed for the first time. */
  #stale = false;
  #listFailed = false;

  constructor(process: ServerProcess, context: RunContext) {
    this.process = process;
    this.#context = context;
    const { name, clock } = context;
    this.peer = new Peer(process, { server: name, notified: (method) => this.#notified(method) });
    this.#relist = new Throttle({ clock, pauseMs: RELIST_PAUSE_MS, work: () => this.#listAgain() });
    process.onStderr((line) => this.#stderr.add(line));
    process.onGarbage(() => void this.peer.garbageLines++);
    this.ended = process.exited.then((exit) => this.#end(exit));
  }

  /** Whether its handshake has been done and the process has not ended since. */
  get ready(): boolean {
    return this.#state === "ready";
  }

  /** What the operator should see beside the news that it has ended. */
  get lastWords(): Fields {
    const { garbageLines } = this.peer;
    return { stderr: this.#stderr.text(), ...(garbageLines > 0 && { garbageLines }) };
  }

  /**
   * Makes the handshake and lists the tools.
   *
   * @throws {GatewayError} `server_failed`; the process may still be there then.
   */
  async open(): Promise<void> {
    let asked = "initialize";
    const cancelDeadline = this.#context.clock.after(START_DEADLINE_MS, () => {
      const hint = asked === "initialize" ? ", is it an MCP server over stdio?" : "";
      const seconds = START_DEADLINE_MS / 1000;
      this.peer.lose(this.failure(`it did not answer ${asked} within ${seconds} s${hint}`));
    });
    try {
      this.#hasTools = (await initialize(this.peer)).hasTools;
      asked = "tools/list";
      if (this.#hasTools) this.#tools = await this.#list();
    } finally {
      cancelDeadline();
    }
    // It may have ended together with its last answer.
    if (this.#exit !== undefined) throw this.failure(describeExit(this.#exit));
    this.#state = "ready";
    this.#context.listed(this.#tools);
    if (this.#stale) this.#relist.ask();
  }

  /** That the server cannot be started because of `cause`. */
  failure(cause: string): GatewayError {
    return new GatewayError(
      "server_failed",
      `Cannot start server "${this.#context.name}": ${cause}`,
    );
  }

  #end(exit: ProcessExit): ProcessExit {
    const cause = describeExit(exit);
    this.peer.lose(
      this.ready
        ? new GatewayError(
          "server_crashed",
          `Server "${this.#context.name}" ended during the call: ${cause}`,
        )
        : this.failure(cause),
    );
    this.#relist.stop();
    this.#exit = exit;
    this.#state = "ended";
    return exit;
  }

  #notified(method: string): void {
    if (method !== "notifications/tools/list_changed" || !this.#hasTools) return;
    if (this.ready) this.#relist.ask();
    else this.#stale = true;
  }

  async #list(): Promise<readonly ListedTool[]> {
    const { tools, broken } = await listTools(this.peer);
    if (broken !== this.#broken) {
      this.#broken = broken;
      this.#context.log(
        "warn",
        `Server "${this.#context.name}" lists ${broken} tools without a name or a schema, ` +
          "twice, or beyond the limits: left out",
      );
    }
    return tools;
  }

  /** A server that does not answer is not asked again: the throttle waits for it. */
  async #listAgain(): Promise<void> {
    try {
      const tools = await this.#list();
      this.#listFailed = false;
      if (!this.ready || isSame(tools, this.#tools)) return;
      this.#tools = tools;
      this.#context.listed(tools);
    } catch (error) {
      if (!this.ready || this.#listFailed) return;
      this.#listFailed = true;
      this.#context.log("warn", `Cannot list the tools of "${this.#context.name}" again`, {
        error: printable(toGatewayError(error).message),
      });
    }
  }
}

function isSame(some: readonly ListedTool[], others: readonly ListedTool[]): boolean {
  return some.length === others.length && some.every(({ raw }, n) => raw === others[n]?.raw);
}
