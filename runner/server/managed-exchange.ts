/**
 * One exchange of a managed server, from its arrival to its end. It hears what its caller hears, measures
 * where the time goes, tells of a start that takes long, and ends a call that takes too long.
 *
 *     arrives ── waits for its turn ──▶ carried by a set of processes ──▶ ended
 *
 * @module
 */
import type { Clock } from "../../src/clock.ts";
import { GatewayError } from "../../src/errors.ts";
import type { Member } from "../../src/mcp/scan.ts";
import { withBrief } from "./brief.ts";
import type { Exchange, ExchangeListener, Withdraw } from "./exchange.ts";
import { askedTask, taskOf } from "./kept-task.ts";
import { progressToken } from "./params.ts";
import { PARKED_TTL_MS } from "./parking.ts";
import { DEADLINE } from "./peer.ts";
import type { Places } from "./places.ts";
import { StartProgress } from "./start-progress.ts";
import type { Warm } from "./warm.ts";

/** What an exchange needs of its server. */
export interface ManagedExchangeContext {
  /** Name of the server. */
  readonly name: string;
  readonly clock: Clock;
  /** Milliseconds from the moment that it was written to its end; undefined: any. */
  readonly callMs: number | undefined;
  /** Processes that wait for what follows an exchange. */
  readonly places: Places<Warm>;
  /** Called once, when it is over. */
  readonly over: (exchange: ManagedExchange) => void;
}

/** An exchange under way. */
export class ManagedExchange implements ExchangeListener {
  readonly exchange: Exchange;
  readonly #listener: ExchangeListener;
  readonly #context: ManagedExchangeContext;
  readonly #progress: StartProgress | undefined;
  /** Where it must go on, because what was before it happened there. */
  readonly #bound: Warm | undefined;
  /** When it began to wait for what it waits for now. */
  #since: number;
  #waitsFor: "turn" | "start" | "process" | "nothing" = "turn";
  #over = false;
  /** What carries it out. */
  #carrier: Warm | undefined;
  #withdraw: Withdraw = () => {};
  #release: () => void;
  #cancelDeadline: () => void = () => {};
  /** Gives up the place that it left behind; undefined if there is none. */
  #leavePlace: (() => void) | undefined;

  constructor(exchange: Exchange, listener: ExchangeListener, context: ManagedExchangeContext) {
    const { clock, name, places } = context;
    this.exchange = exchange;
    this.#listener = listener;
    this.#context = context;
    this.#since = clock.now();
    const token = progressToken(exchange.params);
    this.#progress = token === undefined ? undefined : new StartProgress({
      clock,
      server: name,
      token,
      note: (note) => listener.note(note),
    });
    const key = this.#placeKey();
    this.#bound = key === undefined ? undefined : places.get(key);
    // It must not rest while the exchange waits for its turn.
    this.#release = this.#bound?.idle.hold() ?? (() => {});
  }

  /** The processes that it is bound to by what happened before; undefined for any. */
  get bound(): Warm | undefined {
    return this.#bound;
  }

  /** Whether it was its turn. */
  get carried(): boolean {
    return this.#carrier !== undefined;
  }

  /** Whether it has ended. */
  get isOver(): boolean {
    return this.#over;
  }

  /** It is its turn. */
  carry(warm: Warm): void {
    const { places } = this.#context;
    this.#waited();
    const releaseBound = this.#release;
    this.#release = warm.enter();
    releaseBound();
    const key = this.#placeKey();
    // A question is answered once; a task may be asked for again.
    if (key !== undefined && askedTask(this.exchange) === undefined) places.release(key);
    this.#waitsFor = "process";
    this.#carrier = warm;
    this.#withdraw = warm.server.exchange(this.exchange, this);
    if (this.#over || this.#waitsFor !== "process") return;
    if (!warm.server.starting && !warm.server.resting) return;
    this.#waitsFor = "start";
    this.#progress?.begin(warm.news);
  }

  /** Nobody waits for it any more. */
  withdraw(reason: string): void {
    if (this.#over) {
      if (this.#leavePlace !== undefined) this.#withdraw(reason);
      this.#leavePlace?.();
      return;
    }
    // The server must be told before its processes may go.
    this.#withdraw(reason);
    this.#end(() => {});
  }

  accepted(): void {
    if (this.#over) return;
    this.#waited();
    const { callMs, clock } = this.#context;
    if (callMs !== undefined) {
      this.#cancelDeadline();
      this.#cancelDeadline = clock.after(callMs, () => this.#timeOut(callMs));
    }
    this.#listener.accepted();
  }

  note(notification: string): void {
    if (!this.#over) this.#listener.note(this.#progress?.after(notification) ?? notification);
  }

  result(result: string, members: ReadonlyMap<string, Member>): void {
    const task = this.#over ? undefined : taskOf(result, members);
    if (task !== undefined && this.#carrier !== undefined) {
      const release = this.#carrier.idle.hold();
      this.#context.places.keep(taskKey(task.id), this.#carrier, task.ms, release);
    }
    this.#end(() => this.#listener.result(result, members));
  }

  inputRequired(result: string, state: string | undefined): void {
    const warm = this.#carrier;
    if (state !== undefined && warm !== undefined && !this.#over) {
      const { client } = this.exchange.caller;
      const ms = this.exchange.patienceMs?.() ?? PARKED_TTL_MS;
      const release = warm.idle.hold();
      this.#leavePlace = this.#context.places.keep(stateKey(client, state), warm, ms, () => {
        this.#leavePlace = undefined;
        release();
      });
    }
    this.#end(() => this.#listener.inputRequired(result, state));
  }

  error(error: string): void {
    this.#end(() => this.#listener.error(error));
  }

  failed(error: GatewayError): void {
    this.#end(() => this.#listener.failed(withBrief(this.#context.name, error)));
  }

  #timeOut(callMs: number): void {
    this.#withdraw(DEADLINE);
    this.failed(
      new GatewayError(
        "call_timeout",
        `Server "${this.#context.name}" did not answer within ${callMs / 1_000} s: the call may ` +
          "still have run",
      ),
    );
  }

  /** One wait is over: says how long it was. */
  #waited(): void {
    const now = this.#context.clock.now();
    const { spent } = this.exchange;
    const ms = now - this.#since;
    this.#since = now;
    this.#progress?.end();
    if (spent !== undefined && this.#waitsFor !== "nothing") {
      spent[this.#waitsFor === "start" ? "startMs" : "queueMs"] += ms;
    }
    this.#waitsFor = "nothing";
  }

  #end(tell: () => void): void {
    if (this.#over) return;
    this.#over = true;
    this.#waited();
    this.#cancelDeadline();
    try {
      tell();
    } finally {
      this.#release();
      this.#context.over(this);
    }
  }

  #placeKey(): string | undefined {
    const { input, caller: { client } } = this.exchange;
    const asked = askedTask(this.exchange);
    if (asked !== undefined) return taskKey(asked);
    return input?.state === undefined ? undefined : stateKey(client, input.state);
  }
}

function stateKey(client: string, state: string): string {
  return `state ${JSON.stringify(client)} ${state}`;
}

function taskKey(id: string): string {
  return `task ${id}`;
}
