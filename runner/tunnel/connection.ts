/**
 * One open connection to the worker, from hello to its end: hands calls to the gateway and its
 * answers back. tunnel.ts makes one for each successful dial.
 *
 * @module
 */
import type { Clock } from "../../src/clock.ts";
import { GatewayError, toRpcError } from "../../src/errors.ts";
import { type Log, printable } from "../../src/log.ts";
import type { Offer } from "../../src/mcp/offer.ts";
import { CLOSE } from "../../src/tunnel/close.ts";
import { decodeFrame, encodeFrame, type Frame, type HeaderOf } from "../../src/tunnel/frame.ts";
import { DEAD_MS, Heartbeat, PING, PONG } from "../../src/tunnel/heartbeat.ts";
import type { Wire, WireEvents } from "../../src/tunnel/wire.ts";
import type { Gateway } from "../gateway/gateway.ts";
import { encodeWithin } from "./offer-payload.ts";

/** A list of which a server may say that it has changed. */
export type ChangedList = NonNullable<HeaderOf<"offer">["changed"]>[number];

/** Milliseconds for the worker's welcome. */
const WELCOME_DEADLINE_MS = 10_000;

/**
 * Milliseconds after which it is said that a call was accepted, if nothing else has been said of it by
 * then: an answer says so too, and for quick calls one frame less is a tenth of the work.
 */
export const ACCEPTED_AFTER_MS = 50;

/** Bounds of the heartbeat that a worker may ask for, in milliseconds. */
const MIN_HEARTBEAT_MS = 1_000;
const MAX_HEARTBEAT_MS = DEAD_MS / 2;

/** What a connection needs of the runner. */
export interface ConnectionContext {
  readonly hello: HeaderOf<"hello">;
  readonly gateway: Gateway;
  readonly clock: Clock;
  readonly log: Log;
  /** Called when the worker has welcomed the runner: offers can be sent from here on. */
  readonly welcomed: (tunnel: string) => void;
  /** Called once, with the close code; the wire may still be closing then. */
  readonly ended: (code: number) => void;
}

/** A connection to the worker. */
export class Connection {
  /** What the socket must tell this connection. */
  readonly events: WireEvents;
  readonly #context: ConnectionContext;
  readonly #wire: Wire;
  readonly #cancelWelcome: () => void;
  /** Present from the worker's welcome on. */
  #heartbeat: Heartbeat | undefined;
  #maxPayload = 0;
  /** What keeps it from being said that a call was accepted, by call id. */
  readonly #unsaid = new Map<string, () => void>();
  #revision = 0;
  /** Servers that the last offer had to do without: each change is told once. */
  #leftOut = "";
  #over = false;

  constructor(wire: Wire, context: ConnectionContext) {
    this.#wire = wire;
    this.#context = context;
    this.events = {
      message: (text) => this.#message(text),
      closed: (code) => this.#end(code),
    };
    this.#cancelWelcome = context.clock.after(
      WELCOME_DEADLINE_MS,
      () => this.close(CLOSE.protocol, "No welcome in time"),
    );
    wire.send(encodeFrame(context.hello));
  }

  /**
   * Sends what the runner offers, in place of what it offered before; nothing before the welcome.
   *
   * @param changed Lists that a server said have changed, also when the offer is the same.
   */
  offer(offer: Offer, changed: readonly ChangedList[] = []): void {
    if (this.#heartbeat === undefined) return;
    const { payload, leftOut } = encodeWithin(offer, this.#maxPayload);
    const names = leftOut.map(({ name }) => name).join();
    for (const { name, entries, length } of names === this.#leftOut ? [] : leftOut) {
      this.#context.log(
        "error",
        `What is allowed of server "${name}" is not listed: ${entries} entries with ${length} ` +
          `characters are more than the worker takes (${this.#maxPayload} in all), allow fewer`,
      );
    }
    this.#leftOut = names;
    if (payload === undefined) return;
    this.#wire.send(encodeFrame({
      type: "offer",
      revision: ++this.#revision,
      ...(changed.length > 0 && { changed: [...changed] }),
    }, payload));
  }

  /** Tells the worker to send no more calls; those in flight go on. */
  drain(deadlineMs: number): void {
    this.#wire.send(encodeFrame({ type: "drain", reason: "The runner is stopping", deadlineMs }));
  }

  /** Ends the connection, without waiting for the peer to take part. */
  close(code: number, reason: string): void {
    this.#wire.close(code, reason);
    this.#end(code);
  }

  #message(text: string): void {
    if (this.#over) return;
    this.#heartbeat?.heard();
    if (text === PONG) return;
    try {
      const frame = decodeFrame(text);
      if (frame !== undefined) this.#take(frame);
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error;
      this.#context.log("error", "The worker has broken the protocol of the tunnel", {
        error: printable(error.message),
      });
      this.close(CLOSE.protocol, "Cannot read frame");
    }
  }

  #take({ header, payload }: Frame): void {
    if ((header.type === "welcome") === (this.#heartbeat !== undefined)) {
      throw new GatewayError(
        "tunnel_protocol",
        `Cannot take frame: ${header.type} at this time, welcome comes first and once`,
      );
    }
    switch (header.type) {
      case "welcome":
        this.#welcome(header);
        return;
      case "call":
        this.#call(header, payload);
        return;
      case "cancel":
        this.#withhold(header.id);
        this.#context.gateway.cancel(header.id, header.reason);
        return;
      case "drain":
        // The worker is about to close; the runner dials again when it has.
        return;
      default:
        throw new GatewayError(
          "tunnel_protocol",
          `Cannot take frame: ${header.type} is a runner's`,
        );
    }
  }

  #welcome({ heartbeatMs, maxPayload, tunnel }: HeaderOf<"welcome">): void {
    this.#cancelWelcome();
    this.#maxPayload = maxPayload;
    const everyMs = Math.min(Math.max(heartbeatMs, MIN_HEARTBEAT_MS), MAX_HEARTBEAT_MS);
    this.#heartbeat = new Heartbeat(this.#context.clock, { everyMs, deadMs: DEAD_MS }, {
      beat: () => this.#wire.send(PING),
      dead: () => this.close(CLOSE.silent, "The worker was silent for too long"),
    });
    this.#context.welcomed(tunnel);
  }

  #call(header: HeaderOf<"call">, params: string): void {
    const { id } = header;
    const wire = this.#wire;
    // A payload beyond the worker's limit would end the tunnel, and with it the calls of all servers.
    const fits = (payload: string): boolean => payload.length <= this.#maxPayload;
    const fail = (error: string, status?: HeaderOf<"error">["status"]): void =>
      wire.send(encodeFrame({ type: "error", id, ...(status !== undefined && { status }) }, error));
    this.#context.gateway.call({ ...header, params }, {
      accepted: () => this.#acceptLater(id),
      note: (note) => {
        if (this.#withhold(id)) this.#accept(id);
        if (fits(note)) wire.send(encodeFrame({ type: "note", id }, note));
      },
      result: (result, resultType) => {
        this.#withhold(id);
        if (!fits(result)) return fail(this.#tooLarge("result", result.length));
        const type = resultType === undefined ? {} : { resultType };
        wire.send(encodeFrame({ type: "result", id, ...type }, result));
      },
      error: (error, status) => {
        this.#withhold(id);
        if (fits(error)) fail(error, status);
        else fail(this.#tooLarge("error", error.length));
      },
    });
  }

  #acceptLater(id: string): void {
    const cancel = this.#context.clock.after(ACCEPTED_AFTER_MS, () => {
      this.#unsaid.delete(id);
      this.#accept(id);
    });
    this.#unsaid.set(id, cancel);
  }

  #accept(id: string): void {
    this.#wire.send(encodeFrame({ type: "accepted", id }));
  }

  /** @returns Whether it was still to be said that the call was accepted. */
  #withhold(id: string): boolean {
    this.#unsaid.get(id)?.();
    return this.#unsaid.delete(id);
  }

  #tooLarge(what: "result" | "error", length: number): string {
    const error = new GatewayError(
      "result_too_large",
      `The tool ran, but its ${what} has ${length} characters and the limit is ${this.#maxPayload}`,
    );
    return JSON.stringify(toRpcError(error));
  }

  #end(code: number): void {
    if (this.#over) return;
    this.#over = true;
    this.#heartbeat?.stop();
    this.#cancelWelcome();
    for (const id of this.#unsaid.keys()) this.#withhold(id);
    this.#context.gateway.cancelAll("The tunnel was lost");
    this.#context.ended(code);
  }
}
