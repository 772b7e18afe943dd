import { type Executed, GatewayError, toGatewayError } from "../../src/errors.ts";
import { printable } from "../../src/log.ts";
import { briefMemory, type Era } from "./era.ts";
import { Admission } from "./admission.ts";
import type { Exchange, ExchangeListener, ResourceListener, Withdraw } from "./exchange.ts";
import type { ServerLists } from "./listed.ts";
import { type Lifetimes, lifetimesOf } from "./lifetimes.ts";
import { ManagedExchange } from "./managed-exchange.ts";
import type { ManagedServer, ManagedServerContext, ServerState } from "./managed-server.ts";
import { Noise } from "./noise.ts";
import { Places } from "./places.ts";
import { Supervision } from "./supervision.ts";
import type { StopReason, Warm } from "./warm.ts";
import { Warms } from "./warms.ts";

/** Makes a server with its life; nothing is started yet. */
export function manageServer(context: ManagedServerContext): ManagedServer {
  return new Managed(context);
}

class Managed implements ManagedServer {
  readonly name: string;
  readonly #context: ManagedServerContext;
  readonly #supervision: Supervision;
  readonly #warms: Warms;
  readonly #lifetimes: Lifetimes;
  readonly #admission: Admission;
  readonly #places: Places<Warm>;
  readonly #exchanges = new Set<ManagedExchange>();
  /** Whether the lists of this run were asked for, so that what is remembered does not grow old. */
  #relisted = false;
  #whenEmpty: () => void = () => {};
  #told: ServerState = "cold";
  /** It takes no further exchange. */
  #closing = false;
  /** It is being ended for good. */
  #over = false;
  /** Nothing of it is left. */
  #gone = false;
  #stopping: Promise<void> | undefined;

  constructor(context: ManagedServerContext) {
    const { name, clock, log, life } = context;
    this.name = name;
    this.#context = context;
    this.#supervision = new Supervision({
      ...context,
      works: () => this.#works(),
      moved: () => this.#moved(),
    });
    const noise = new Noise(clock, () => {
      log("warn", `Server "${name}" writes lines that are no messages to stdout: they are dropped`);
    });
    this.#warms = new Warms({
      ...context,
      supervision: this.#supervision,
      startMs: life.startMs,
      eraMemory: context.eraMemory ?? briefMemory(),
      garbage: () => noise.note(),
    }, (error) => this.#cannotStop(error));
    this.#lifetimes = lifetimesOf({
      name,
      life,
      warms: this.#warms,
      rest: (warm) => void this.#rest(warm),
    });
    this.#admission = new Admission(life);
    this.#places = new Places(clock);
  }

  get state(): ServerState {
    const all = this.#warms.all;
    if (this.#closing) return this.#gone ? "cold" : "draining";
    const starting = all.some(({ server }) => server.starting);
    if (this.#supervision.givenUp && !starting) return "failed";
    if (this.#works()) return "ready";
    if (starting) return "starting";
    return all.some(({ server }) => server.resting) ? "draining" : "cold";
  }

  get failure(): GatewayError | undefined {
    return this.#supervision.failure;
  }

  get lastWords(): string | undefined {
    return this.#supervision.lastWords;
  }

  get era(): Era | undefined {
    return this.#lifetimes.common.server.era;
  }

  get lists(): ServerLists | undefined {
    return this.#lifetimes.common.server.lists;
  }

  get containers(): readonly string[] {
    return this.#warms.all.flatMap(({ server }) => server.containers);
  }

  get processes(): number {
    return this.#warms.all.reduce((sum, { server }) => sum + server.processes, 0);
  }

  async start(): Promise<void> {
    if (this.lists !== undefined) return;
    if (this.#closing) throw this.#refusal();
    await this.#lifetimes.common.list();
  }

  exchange(exchange: Exchange, listener: ExchangeListener): Withdraw {
    let leave = (): void => {};
    const it = new ManagedExchange(exchange, listener, {
      name: this.name,
      clock: this.#context.clock,
      callMs: this.#context.life.callMs,
      places: this.#places,
      over: () => {
        this.#exchanges.delete(it);
        leave();
        if (this.#exchanges.size === 0) this.#whenEmpty();
      },
    });
    this.#exchanges.add(it);
    if (this.#closing) it.failed(this.#refusal());
    else {
      const ticket = this.#admission.enter(exchange.caller.client, () => this.#carry(it));
      if (ticket === undefined) it.failed(this.#full());
      else if (it.isOver) ticket.leave();
      else leave = () => ticket.leave();
    }
    return (reason) => it.withdraw(reason);
  }

  listen(uris: readonly string[], listener: ResourceListener): () => void {
    const { common } = this.#lifetimes;
    const release = common.idle.hold();
    const unlisten = common.server.listen(uris, {
      updated: (uri, notification) => listener.updated(uri, notification),
      ended: (error) => {
        release();
        listener.ended(error);
      },
    });
    return () => {
      unlisten();
      release();
    };
  }

  retry(): void {
    this.#supervision.retry();
  }

  rest(): Promise<void> {
    return this.#lifetimes.rest();
  }

  async drain(ms: number): Promise<void> {
    this.#closing = true;
    this.#moved();
    if (this.#exchanges.size > 0) {
      await new Promise<void>((resolve) => {
        const cancel = this.#context.clock.after(ms, resolve);
        this.#whenEmpty = () => {
          cancel();
          resolve();
        };
      });
    }
    await this.#stop("drain");
  }

  stop(): Promise<void> {
    this.#closing = true;
    this.#moved();
    return this.#stop("stop");
  }

  #carry(it: ManagedExchange): void {
    if (this.#over) {
      it.failed(this.#refusal());
      return;
    }
    let warm: Warm;
    try {
      warm = it.bound?.over === false ? it.bound : this.#lifetimes.of(it.exchange);
    } catch (thrown) {
      it.failed(toGatewayError(thrown));
      return;
    }
    it.carry(warm);
    if (warm !== this.#lifetimes.common) this.#listAgain();
  }

  /** What is remembered, or not known yet, is asked for once while the server is in use. */
  #listAgain(): void {
    if (this.#relisted) return;
    this.#relisted = true;
    this.#lifetimes.common.list().catch(() => {
      // The operator was told, and the next exchange tries again.
      this.#relisted = false;
    });
  }

  async #rest(warm: Warm): Promise<void> {
    if (warm.server.starting) {
      // A call that comes now must not wait for the end of a listing, and then for its own start.
      warm.idle.hold()();
      return;
    }
    try {
      await warm.rest();
    } catch (thrown) {
      this.#cannotStop(toGatewayError(thrown));
    }
  }

  #stop(reason: StopReason): Promise<void> {
    this.#stopping ??= this.#end(reason);
    return this.#stopping;
  }

  async #end(reason: StopReason): Promise<void> {
    this.#over = true;
    for (const it of this.#exchanges) if (!it.carried) it.failed(this.#refusal());
    const ending = this.#warms.stop(reason);
    this.#places.clear();
    await ending;
    this.#gone = true;
    // Whoever still waits would wait for ever.
    for (const it of this.#exchanges) it.failed(this.#refusal("unknown"));
    this.#moved();
  }

  #works(): boolean {
    return this.#warms.all.some(({ server }) => server.ready && !server.resting);
  }

  #moved(): void {
    const { state } = this;
    if (state === this.#told) return;
    this.#told = state;
    this.#context.changed([]);
  }

  #cannotStop({ message }: GatewayError): void {
    const error = printable(message);
    this.#context.log("warn", `Cannot stop a process of server "${this.name}"`, { error });
  }

  #refusal(executed: Executed = "no"): GatewayError {
    return this.#over
      ? new GatewayError("server_failed", `Cannot use server "${this.name}": it is being stopped`, {
        executed,
      })
      : new GatewayError(
        "overloaded",
        `Server "${this.name}" is being restarted: try again in a moment`,
      );
  }

  #full(): GatewayError {
    const { concurrency, queue } = this.#context.life;
    return new GatewayError(
      "overloaded",
      `Server "${this.name}" carries out ${concurrency} calls and ${queue} more wait, which is as ` +
        "many as it takes: try again when a call has ended",
    );
  }
}
