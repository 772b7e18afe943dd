/**
 * Starts the processes of one server and ends them: waits after starts that failed, and what the
 * operator is told. Each purpose of a process fails for itself, so that a server that cannot be started
 * for one still serves the others.
 *
 * @module
 */
import { type Backoff, nextWaitMs } from "../../src/backoff.ts";
import { GatewayError, toGatewayError } from "../../src/errors.ts";
import { type Fields, printable } from "../../src/log.ts";
import { Instance, type InstanceContext, type Opening } from "./instance.ts";
import { describeExit, type ServerProcess } from "./process.ts";

/** Waits after starts that failed; within them the last failure is the answer. */
const RESTART_BACKOFF: Backoff = { firstMs: 1_000, maxMs: 60_000 };

/** What a process is started for. */
export type Purpose = "calls" | "lists" | "interaction";

/** What a launcher needs to know. */
export interface LauncherContext extends InstanceContext {
  /** Starts the process in its container. */
  readonly launch: () => Promise<ServerProcess>;
  /** Called when a start has failed. */
  readonly failed: () => void;
}

interface Failure {
  readonly error: GatewayError;
  readonly at: number;
  readonly until: number;
  /** Failures in a row. */
  readonly count: number;
}

/** Starts and ends the processes of one server. */
export class Launcher {
  readonly #context: LauncherContext;
  readonly #live = new Set<Instance>();
  readonly #starting = new Set<Promise<unknown>>();
  readonly #failures = new Map<Purpose, Failure>();
  #resting: Promise<void> | undefined;
  #stopped = false;

  constructor(context: LauncherContext) {
    this.#context = context;
  }

  /** Id of the container that has run for the longest time; undefined while there is none. */
  get containerId(): string | undefined {
    const [first] = this.#live;
    return first?.process.id;
  }

  /** Processes that run now. */
  get processes(): number {
    return this.#live.size;
  }

  /** Whether no process is there or on its way. */
  get cold(): boolean {
    return this.#live.size + this.#starting.size === 0;
  }

  /**
   * Starts a process and opens it.
   *
   * @throws {GatewayError} `server_failed`, `image_missing` or `engine_unavailable` with the cause.
   */
  async start(purpose: Purpose, opening: Opening): Promise<Instance> {
    if (this.#stopped) throw this.#stopping();
    if (this.#resting !== undefined) {
      await this.#resting;
      return await this.start(purpose, opening);
    }
    const failure = this.#failures.get(purpose);
    if (failure !== undefined && this.#context.clock.now() < failure.until) throw failure.error;
    const starting = this.#start(purpose, opening);
    this.#starting.add(starting);
    try {
      return await starting;
    } finally {
      this.#starting.delete(starting);
    }
  }

  /** Ends every process; the next start comes after it. */
  rest(): Promise<void> {
    this.#resting ??= this.#end().finally(() => this.#resting = undefined);
    return this.#resting;
  }

  /** Ends every process for good; resolves when nothing of them is left, nor of a start under way. */
  async stop(): Promise<void> {
    this.#stopped = true;
    // Ends an opening at once: a start that rest() would wait for.
    await Promise.all([...this.#live].map((instance) => instance.stop()));
    await this.rest();
  }

  async #end(): Promise<void> {
    await Promise.allSettled(this.#starting);
    await Promise.all([...this.#live].map((instance) => instance.stop()));
  }

  async #start(purpose: Purpose, opening: Opening): Promise<Instance> {
    let instance: Instance | undefined;
    try {
      const process = await this.#context.launch();
      instance = new Instance(process, this.#context);
      this.#live.add(instance);
      if (this.#stopped) throw this.#stopping();
      await instance.open(opening);
    } catch (thrown) {
      await instance?.process.stop(0);
      if (instance !== undefined) this.#live.delete(instance);
      throw this.#noteFailure(purpose, thrown, instance?.lastWords);
    }
    this.#failures.delete(purpose);
    void this.#watch(instance);
    return instance;
  }

  async #watch(instance: Instance): Promise<void> {
    const exit = await instance.ended;
    this.#live.delete(instance);
    if (this.#stopped || exit.reason === "closed") return;
    this.#context.log(
      "warn",
      `Server "${this.#context.name}" ended: ${describeExit(exit)}; the next call starts it again`,
      instance.lastWords,
    );
  }

  #noteFailure(purpose: Purpose, thrown: unknown, lastWords: Fields = {}): GatewayError {
    const error = toGatewayError(thrown);
    if (this.#stopped) return error;
    const count = (this.#failures.get(purpose)?.count ?? 0) + 1;
    const at = this.#context.clock.now();
    // The same fault of two starts at once is told once.
    const known = [...this.#failures].some(([other, failure]) =>
      other !== purpose && failure.error.message === error.message &&
      at - failure.at < RESTART_BACKOFF.firstMs
    );
    const until = at + nextWaitMs(RESTART_BACKOFF, count);
    this.#failures.set(purpose, { error, at, until, count });
    this.#context.failed();
    if (known) return error;
    const named = error.message.includes(`"${this.#context.name}"`);
    const what = named ? "" : `Cannot start server "${this.#context.name}": `;
    this.#context.log("error", printable(what + error.message), {
      ...lastWords,
      ...(error.code === "internal" && { cause: printable(String(error.cause)) }),
    });
    return error;
  }

  #stopping(): GatewayError {
    return new GatewayError(
      "server_failed",
      `Cannot start server "${this.#context.name}": it is being stopped`,
    );
  }
}
