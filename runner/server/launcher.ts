/**
 * Starts the processes of one server and ends them: waits after starts that failed, and what the
 * operator is told. Each purpose of a process fails for itself, so that a server that cannot be started
 * for one still serves the others.
 *
 * @module
 */
import { GatewayError, toGatewayError } from "../../src/errors.ts";
import { type Fields, printable } from "../../src/log.ts";
import { startError } from "./brief.ts";
import { Instance, type InstanceContext, type Opening } from "./instance.ts";
import type { ServerProcess } from "./process.ts";
import { type Purpose, StartFailures } from "./start-failures.ts";
import type { Supervisor } from "./supervisor.ts";

/** What a launcher needs to know. */
export interface LauncherContext extends InstanceContext {
  /** Starts the process in its container. */
  readonly launch: () => Promise<ServerProcess>;
  /** Called when a start has failed. */
  readonly failed: () => void;
  /** Nobody unless given: then a server that crashes is started again at once. */
  readonly supervisor?: Supervisor;
}

/** Starts and ends the processes of one server. */
export class Launcher {
  readonly #context: LauncherContext;
  readonly #failures: StartFailures;
  readonly #live = new Set<Instance>();
  readonly #starting = new Set<Promise<unknown>>();
  readonly #stopping = new AbortController();
  #resting: Promise<void> | undefined;

  constructor(context: LauncherContext) {
    this.#context = context;
    this.#failures = context.supervisor?.failures ?? new StartFailures(context.clock);
  }

  /** Ids of the containers that run now, the oldest first. */
  get containers(): readonly string[] {
    return [...this.#live].map(({ process }) => process.id);
  }

  /** Whether a process has been opened and has not ended since. */
  get ready(): boolean {
    return [...this.#live].some(({ ready }) => ready);
  }

  /** Whether a start is under way. */
  get starting(): boolean {
    return this.#starting.size > 0;
  }

  /** Whether its processes are being ended; starts wait for that. */
  get resting(): boolean {
    return this.#resting !== undefined;
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
    if (this.#stopped) throw this.#isStopping();
    if (this.#resting !== undefined) {
      await this.#resting;
      return await this.start(purpose, opening);
    }
    this.#context.supervisor?.check();
    const refusal = this.#failures.refusal(purpose);
    if (refusal !== undefined) throw refusal;
    const starting = this.#start(purpose, opening);
    this.#starting.add(starting);
    this.#context.supervisor?.moved();
    try {
      return await starting;
    } finally {
      this.#starting.delete(starting);
      this.#context.supervisor?.moved();
    }
  }

  /** Ends every process; the next start comes after it. */
  rest(): Promise<void> {
    if (this.#resting !== undefined) return this.#resting;
    const moved = (): void => this.#context.supervisor?.moved();
    this.#resting = this.#end().finally(() => {
      this.#resting = undefined;
      moved();
    });
    moved();
    return this.#resting;
  }

  /** Ends every process for good; resolves when nothing of them is left, nor of a start under way. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    // Ends an opening at once: a start that rest() would wait for.
    await Promise.all([...this.#live].map((instance) => instance.stop()));
    await this.rest();
  }

  get #stopped(): boolean {
    return this.#stopping.signal.aborted;
  }

  async #end(): Promise<void> {
    // Without a start under way in this very turn: a call that comes now must find them ending.
    if (this.#starting.size > 0) await Promise.allSettled(this.#starting);
    await Promise.all([...this.#live].map((instance) => instance.stop()));
  }

  async #start(purpose: Purpose, opening: Opening): Promise<Instance> {
    const { supervisor, clock } = this.#context;
    const endTurn = supervisor && await supervisor.turn(this.#stopping.signal);
    const startedAt = clock.now();
    let instance: Instance | undefined;
    try {
      if (this.#stopped) throw this.#isStopping();
      const process = await this.#launch();
      instance = new Instance(process, this.#context);
      this.#live.add(instance);
      if (this.#stopped) throw this.#isStopping();
      await instance.open(opening);
    } catch (thrown) {
      if (instance !== undefined) await this.#discard(instance);
      const error = toGatewayError(thrown);
      if (!this.#stopped) this.#noteFailure(purpose, startedAt, error, instance?.lastWords);
      throw error;
    } finally {
      endTurn?.();
    }
    this.#failures.clear(purpose);
    supervisor?.started(instance, clock.now() - startedAt);
    void this.#watch(instance, startedAt);
    return instance;
  }

  async #launch(): Promise<ServerProcess> {
    try {
      return await this.#context.launch();
    } catch (thrown) {
      throw startError(this.#context.name, toGatewayError(thrown));
    }
  }

  async #discard(instance: Instance): Promise<void> {
    try {
      await instance.process.stop(0);
    } catch (thrown) {
      const { name, log } = this.#context;
      const error = printable(toGatewayError(thrown).message);
      log("warn", `Cannot stop a process of server "${name}"`, { error });
    } finally {
      this.#live.delete(instance);
    }
  }

  async #watch(instance: Instance, startedAt: number): Promise<void> {
    const { supervisor, clock, log, name } = this.#context;
    const readyAt = clock.now();
    const exit = await instance.ended;
    this.#live.delete(instance);
    const closed = exit.reason === "closed" && !instance.condemned;
    const crash = this.#stopped || closed ? undefined : instance.describe(exit);
    if (crash !== undefined) {
      const message = `Server "${name}" ended: ${printable(crash)}; the next call starts it again`;
      log("warn", message, instance.lastWords);
    }
    const innocent = exit.reason === "lost" || exit.reason === "outside";
    supervisor?.ended({ instance, crash, innocent, startedAt, workedMs: clock.now() - readyAt });
    supervisor?.moved();
  }

  #noteFailure(
    purpose: Purpose,
    startedAt: number,
    error: GatewayError,
    lastWords: Fields = {},
  ): void {
    const known = this.#failures.note(purpose, error);
    const { name, failed, supervisor, log } = this.#context;
    supervisor?.failed({ error, startedAt, lastWords });
    failed();
    if (known) return;
    const named = error.message.includes(`"${name}"`);
    const what = named ? "" : `Cannot start server "${name}": `;
    log("error", printable(what + error.message), {
      ...lastWords,
      ...(error.code === "internal" && { cause: printable(String(error.cause)) }),
    });
  }

  #isStopping(): GatewayError {
    return new GatewayError(
      "server_failed",
      `Cannot start server "${this.#context.name}": it is being stopped`,
    );
  }
}
