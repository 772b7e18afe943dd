/**
 * One exchange at a legacy server. What the server asks of the client while it works is held open, the
 * client gets it as an input_required result, and the next exchange, which brings the answers, goes on
 * where this one was: between the two the call is parked.
 *
 *     Ongoing 1 ── request ──▶ server ── elicitation/create ──▶ inputRequired(state)   parked
 *     Ongoing 2 ── state, answers ──▶ response to the server ── result ──▶ result
 *
 * @module
 */
import type { Clock } from "../../src/clock.ts";
import { type GatewayError, toGatewayError } from "../../src/errors.ts";
import type { Member } from "../../src/mcp/scan.ts";
import { claimsModern } from "../../src/mcp/revisions.ts";
import { declares, missingCapability, neededFor } from "./client-capabilities.ts";
import type { Input, Withdraw } from "./exchange.ts";
import { isError, keyOf, toInputRequest, toInputRequired } from "./input-request.ts";
import { toCanonicalError, urlsToVisit } from "./legacy-error.ts";
import { sendAsTask } from "./legacy-task.ts";
import type { Ongoing } from "./ongoing.ts";
import { toLegacyParams } from "./params.ts";
import type { Parked, Parking } from "./parking.ts";
import { answerAlone, type Ask, type Listener, type Peer } from "./peer.ts";

/** State of a call that ended with pages to visit: the call is sent again, nothing was kept. */
export const CALL_AGAIN = "call-again";

/** Questions of a server that are held open for one call. */
const MAX_ASKS = 64;

/** Notifications that are kept for a parked call. */
const MAX_KEPT_NOTES = 16;

/**
 * Milliseconds in which further questions still belong to the first one: servers write them one after the
 * other, and an engine may hand each over by itself.
 */
export const GATHER_MS = 20;

const NOT_ANSWERED = '{"code":-32603,"message":"The client did not answer"}';
const NOT_DECLARED = '{"code":-32601,"message":"The client does not serve this method"}';
const BAD_ANSWER = '{"code":-32603,"message":"The client gave an answer that is none"}';

/** What a call needs of the process that it runs on. */
export interface CallContext {
  /** Name of the server. */
  readonly server: string;
  readonly peer: Peer;
  readonly clock: Clock;
  readonly parking: Parking<LegacyCall>;
  /** Whether its tool is only run as a task. */
  readonly needsTask: boolean;
  /** The call waits for a person: others need not wait for it. */
  readonly parked: () => void;
  /** The server has nothing to do for the call any more. */
  readonly done: (call: LegacyCall) => void;
}

/** An exchange at a legacy server, from its first request to its result. */
export class LegacyCall implements Listener, Parked {
  readonly client: string;
  readonly isCall = true;
  readonly #context: CallContext;
  /** Who waits now; over while it is parked. */
  #ongoing: Ongoing;
  #withdraw: Withdraw = () => {};
  /** What the server waits for, by the client's key for it. */
  readonly #asks = new Map<string, Ask>();
  #asked = 0;
  /** Ends the wait for further questions; undefined while there is none. */
  #cancelGathering: (() => void) | undefined;
  #state: string | undefined;
  /** Tells the one who comes back what has happened meanwhile. */
  #outcome: ((ongoing: Ongoing) => void) | undefined;
  #notes: string[] = [];
  #done = false;

  constructor(ongoing: Ongoing, context: CallContext) {
    this.#ongoing = ongoing;
    this.client = ongoing.exchange.caller.client;
    this.#context = context;
  }

  /** Who waits for it now; over while it is parked. */
  get ongoing(): Ongoing {
    return this.#ongoing;
  }

  /** Revision of the client that it belongs to. */
  get protocolVersion(): string {
    return this.#ongoing.exchange.caller.protocolVersion;
  }

  get patienceMs(): number | undefined {
    return this.#ongoing.exchange.patienceMs?.();
  }

  /** Whether it waits for a person. */
  get isParked(): boolean {
    return this.#state !== undefined;
  }

  /** Writes the request. Throws as `Peer.send` does, and nothing has happened then. */
  send(): void {
    const { exchange } = this.#ongoing;
    const { peer, needsTask } = this.#context;
    this.#withdraw = needsTask
      ? sendAsTask(peer, exchange, this)
      : peer.send(exchange.method, (id) =>
        toLegacyParams(exchange.params, id, exchange.trace), this);
    this.#ongoing.onWithdraw((reason) => this.abandon(reason));
    this.#ongoing.accepted();
  }

  /** Goes on with the answers of a client. */
  resume(ongoing: Ongoing, { responses, errors }: Input): void {
    this.#leave();
    ongoing.accepted();
    for (const note of this.#notes.splice(0)) ongoing.note(note);
    if (this.#outcome !== undefined) {
      this.#outcome(ongoing);
      return;
    }
    this.#ongoing = ongoing;
    ongoing.onWithdraw((reason) => this.abandon(reason));
    for (const [key, ask] of this.#asks) {
      const response = responses.get(key);
      const error = errors.get(key);
      if (response === undefined && error === undefined) continue;
      this.#asks.delete(key);
      if (response !== undefined) ask.answer(response);
      else ask.refuse(error !== undefined && isError(error) ? error : BAD_ANSWER);
    }
    if (this.#asks.size > 0) this.#gather();
  }

  /** The server asks the client for something. */
  ask(ask: Ask): void {
    const needed = neededFor(ask.method, ask.params);
    const key = keyOf(ask.method);
    if (needed === undefined || key === undefined) {
      answerAlone(ask);
      return;
    }
    const { caller, method } = this.#ongoing.exchange;
    if (!declares(caller.capabilities, needed)) {
      ask.refuse(NOT_DECLARED);
      // Who waits must learn what it lacks: the server may take the refusal for an answer.
      this.#fail(missingCapability(this.#context.server, needed, "unknown"));
      return;
    }
    // No revision lets a completion end in a question.
    if (method === "completion/complete" || this.#asks.size >= MAX_ASKS) {
      ask.refuse(NOT_DECLARED);
      return;
    }
    this.#asks.set(`${key}-${++this.#asked}`, ask);
    this.#gather();
  }

  /** The server takes back what it has asked; `id` is its JSON text. */
  unask(id: string): void {
    for (const [key, ask] of this.#asks) {
      if (ask.id === id) this.#asks.delete(key);
    }
  }

  /** A notification for the caller, who may be away. */
  note(notification: string): void {
    if (!this.isParked) this.#ongoing.note(notification);
    else if (this.#notes.length < MAX_KEPT_NOTES) this.#notes.push(notification);
  }

  progress(params: string): void {
    this.#ongoing.progress(params);
  }

  result(result: string, members: ReadonlyMap<string, Member>): void {
    this.#finish((ongoing) => ongoing.result(result, members));
  }

  error(error: string): void {
    const own = this.#context.peer.failureOf(error);
    if (own === undefined) this.#finish((ongoing) => this.#deliverError(ongoing, error));
    else this.lost(own);
  }

  lost(error: GatewayError): void {
    this.#finish((ongoing) => ongoing.failed(error));
  }

  expire(): void {
    this.#state = undefined;
    if (this.#outcome === undefined) this.#cancel("The client did not come back in time");
  }

  /** Nobody will come back for it any more. */
  abandon(reason: string): void {
    this.#leave();
    this.#cancel(reason);
  }

  /** Asks the client for everything that arrives within a moment. */
  #gather(): void {
    if (this.isParked) return;
    this.#cancelGathering ??= this.#context.clock.after(GATHER_MS, () => {
      this.#cancelGathering = undefined;
      if (!this.isParked && this.#asks.size > 0) this.#park();
    });
  }

  #park(): void {
    const ongoing = this.#ongoing;
    try {
      this.#state = this.#context.parking.park(this);
    } catch (thrown) {
      this.#fail(toGatewayError(thrown));
      return;
    }
    const { protocolVersion } = ongoing.exchange.caller;
    const requests = [...this.#asks].map(([key, { method, params }]) =>
      [key, toInputRequest(method, params, protocolVersion)] as const
    );
    ongoing.inputRequired(toInputRequired(requests), this.#state);
    this.#context.parked();
  }

  #deliverError(ongoing: Ongoing, error: string): void {
    const { caller: { protocolVersion, capabilities } } = ongoing.exchange;
    const urls = claimsModern(protocolVersion) ? urlsToVisit(error, protocolVersion) : undefined;
    if (urls === undefined) {
      ongoing.error(toCanonicalError(error, ongoing.exchange));
      return;
    }
    const needed = { elicitation: { url: {} } };
    if (declares(capabilities, needed)) ongoing.inputRequired(toInputRequired(urls), CALL_AGAIN);
    else ongoing.failed(missingCapability(this.#context.server, needed, "unknown"));
  }

  #finish(deliver: (ongoing: Ongoing) => void): void {
    if (this.#done) return;
    this.#end();
    if (this.isParked) this.#outcome = deliver;
    else deliver(this.#ongoing);
  }

  /** Ends it for the caller, and takes the request back from the server. */
  #fail(error: GatewayError): void {
    const ongoing = this.#ongoing;
    const parked = this.isParked;
    this.#cancel(error.message);
    if (parked) this.#outcome = (next) => next.failed(error);
    else ongoing.failed(error);
  }

  /** Gives its place up if it is parked. */
  #leave(): void {
    if (this.#state !== undefined) this.#context.parking.leave(this.#state);
    this.#state = undefined;
  }

  #cancel(reason: string): void {
    if (this.#done) return;
    this.#withdraw(reason);
    this.#end();
  }

  #end(): void {
    this.#done = true;
    this.#cancelGathering?.();
    this.#cancelGathering = undefined;
    for (const ask of this.#asks.values()) ask.refuse(NOT_ANSWERED);
    this.#asks.clear();
    this.#context.done(this);
  }
}
