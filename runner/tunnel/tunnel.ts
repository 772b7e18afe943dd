/**
 * The runner's end of the tunnel: dials, says hello, offers, takes calls, and dials again when the
 * connection breaks, until the worker says that it is of no use or the runner stops.
 *
 *     dial → hello → welcome → offer → calls … → closed → wait (backoff) → dial
 *
 * @module
 */
import { type Backoff, nextWaitMs } from "../../src/backoff.ts";
import type { Clock } from "../../src/clock.ts";
import { GatewayError, toGatewayError } from "../../src/errors.ts";
import { type Log, printable } from "../../src/log.ts";
import { encodeOffer } from "../../src/mcp/offer.ts";
import { CLOSE, permanentReason } from "../../src/tunnel/close.ts";
import { decodeFrame, encodeFrame, type Frame, type HeaderOf } from "../../src/tunnel/frame.ts";
import { DEAD_MS, Heartbeat, HEARTBEAT_MS, PING, PONG } from "../../src/tunnel/heartbeat.ts";
import type { Wire, WireEvents } from "../../src/tunnel/wire.ts";
import type { Gateway } from "../gateway/gateway.ts";
import { type Dial, dialTunnel } from "./socket.ts";

/** Waits between dials. */
const DIAL_BACKOFF: Backoff = { firstMs: 250, maxMs: 30_000 };

/** Milliseconds that a connection must last before its end counts as a first failure again. */
const STABLE_MS = 5_000;

/** Milliseconds for the worker's welcome. */
const WELCOME_DEADLINE_MS = 10_000;

/** What a tunnel needs of the runner. */
export interface TunnelContext {
  readonly dial: Dial;
  readonly hello: HeaderOf<"hello">;
  readonly gateway: Gateway;
  readonly clock: Clock;
  readonly log: Log;
  /** Called each time the worker has welcomed this runner. */
  readonly welcomed: (tunnel: string) => void;
}

/** A tunnel that keeps itself open. */
export class Tunnel {
  /** Resolves after `close`; rejects with `tunnel_refused` when the worker ends it for good. */
  readonly ended: Promise<void>;
  readonly #context: TunnelContext;
  #wire: Wire | undefined;
  #revision = 0;
  #failures = 0;
  #closing = false;
  #wake: () => void = () => {};

  constructor(context: TunnelContext) {
    this.#context = context;
    this.ended = this.#keep();
  }

  /** Sends the gateway's offer anew; nothing while there is no connection. */
  offer(): void {
    this.#wire?.send(encodeFrame(
      { type: "offer", revision: ++this.#revision },
      encodeOffer(this.#context.gateway.offer()),
    ));
  }

  /** Tells the worker to send no more calls; those in flight go on. */
  drain(deadlineMs: number): void {
    this.#wire?.send(encodeFrame({ type: "drain", reason: "The runner is stopping", deadlineMs }));
  }

  /** Closes the connection and dials no more. */
  close(): void {
    this.#closing = true;
    this.#wire?.close(1000, "The runner has stopped");
    this.#wake();
  }

  async #keep(): Promise<void> {
    const { clock, log, dial } = this.#context;
    while (!this.#closing) {
      const startedAt = clock.now();
      try {
        await this.#connection();
        if (this.#closing) return;
        log("warn", `Lost the connection to ${dial.origin}, dialling again`);
      } catch (thrown) {
        const error = toGatewayError(thrown);
        if (error.code === "tunnel_refused") throw error;
        if (this.#failures === 0) log("warn", printable(error.message));
      }
      this.#failures = clock.now() - startedAt > STABLE_MS ? 1 : this.#failures + 1;
      await this.#wait(nextWaitMs(DIAL_BACKOFF, this.#failures));
    }
  }

  #wait(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.#context.clock.after(ms, resolve);
      this.#wake = () => {
        cancel();
        resolve();
      };
      if (this.#closing) this.#wake();
    });
  }

  /** One connection, from the dial to its end. */
  #connection(): Promise<void> {
    return new Promise((resolve, reject) => {
      const ended = (code: number): void => {
        const permanent = permanentReason(code);
        if (permanent === undefined || this.#closing) resolve();
        else reject(new GatewayError("tunnel_refused", permanent));
      };
      dialTunnel(this.#context.dial, (wire) => this.#open(wire, ended)).catch(reject);
    });
  }

  #open(wire: Wire, ended: (code: number) => void): WireEvents {
    const { gateway, clock, hello, welcomed } = this.#context;
    let over = false;
    const end = (code: number): void => {
      if (over) return;
      over = true;
      heartbeat.stop();
      cancelWelcome();
      if (this.#wire === wire) this.#wire = undefined;
      gateway.cancelAll("The tunnel was lost");
      ended(code);
    };
    const heartbeat = new Heartbeat(clock, { everyMs: HEARTBEAT_MS, deadMs: DEAD_MS }, {
      beat: () => wire.send(PING),
      dead: () => {
        wire.close(CLOSE.silent, "The worker was silent for too long");
        // A peer that is gone does not take part in the closing handshake: do not wait for it.
        end(CLOSE.silent);
      },
    });
    const cancelWelcome = clock.after(
      WELCOME_DEADLINE_MS,
      () => wire.close(CLOSE.protocol, "No welcome in time"),
    );
    wire.send(encodeFrame(hello));
    if (this.#closing) wire.close(1000, "The runner has stopped");
    return {
      message: (text) => {
        heartbeat.heard();
        if (text === PONG || over) return;
        const frame = this.#decode(text, wire);
        if (frame?.header.type === "welcome") {
          cancelWelcome();
          this.#wire = wire;
          this.offer();
          welcomed(frame.header.tunnel);
        } else if (frame !== undefined) this.#take(frame, wire);
      },
      closed: end,
    };
  }

  #decode(text: string, wire: Wire): Frame | undefined {
    try {
      return decodeFrame(text);
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error;
      this.#context.log("error", "The worker sent a frame that breaks the protocol", {
        error: printable(error.message),
      });
      wire.close(CLOSE.protocol, "Cannot read frame");
      return undefined;
    }
  }

  #take({ header, payload }: Frame, wire: Wire): void {
    const { gateway } = this.#context;
    switch (header.type) {
      case "call": {
        const { type: _, ...call } = header;
        const { id } = call;
        gateway.call({ ...call, params: payload }, {
          accepted: () => wire.send(encodeFrame({ type: "accepted", id })),
          note: (note) => wire.send(encodeFrame({ type: "note", id }, note)),
          result: (result) => wire.send(encodeFrame({ type: "result", id }, result)),
          error: (error) => wire.send(encodeFrame({ type: "error", id }, error)),
        });
        return;
      }
      case "cancel":
        gateway.cancel(header.id, header.reason);
        return;
      case "drain":
        // The worker is about to close; the runner dials again when it has.
        return;
      default:
        wire.close(CLOSE.protocol, `Not a frame for a runner: ${header.type}`);
    }
  }
}
