/**
 * One connected runner as its home sees it: sends calls, and hands what comes back to whoever waits.
 * A reply is taken only for a call that went out on this very link.
 *
 * @module
 */
import { GatewayError, toRpcError } from "../../src/errors.ts";
import { decodeOffer, type Offer } from "../../src/mcp/offer.ts";
import { CLOSE } from "../../src/tunnel/close.ts";
import { decodeFrame, encodeFrame, type Frame, type HeaderOf } from "../../src/tunnel/frame.ts";
import type { Wire } from "../../src/tunnel/wire.ts";
import type { Reply } from "../../src/call.ts";

/** What a runner said of itself in `hello`. */
export type RunnerInfo = HeaderOf<"hello">["runner"];

/** What a link tells its home. */
export interface LinkEvents {
  /** The runner has put a new offer in place of its old one. */
  readonly offered: (offer: Offer, payload: string) => void;
}

/** What makes a connection. */
export interface LinkOptions {
  readonly hello: HeaderOf<"hello">;
  /** Id of the tunnel token that opened it. */
  readonly token: string;
  readonly wire: Wire;
}

/** One open tunnel connection. */
export class RunnerLink {
  readonly runner: RunnerInfo;
  /** Id of the tunnel token that opened the connection. */
  readonly token: string;
  readonly maxCalls: number;
  draining = false;
  /** Frames of types that this version does not know. */
  ignoredFrames = 0;
  readonly #wire: Wire;
  readonly #events: LinkEvents;
  readonly #waiting = new Map<string, Reply>();

  constructor({ hello, token, wire }: LinkOptions, events: LinkEvents) {
    this.runner = hello.runner;
    this.maxCalls = hello.maxCalls;
    this.token = token;
    this.#wire = wire;
    this.#events = events;
  }

  /** Calls that this runner has not answered yet. */
  get inFlight(): number {
    return this.#waiting.size;
  }

  /**
   * Sends a call. `reply` then gets its progress and, exactly once, its end.
   *
   * @returns Withdraws the call: the runner is told, and `reply` hears no more.
   */
  call(header: HeaderOf<"call">, params: string, reply: Reply): (reason: string) => void {
    this.#waiting.set(header.id, reply);
    this.#wire.send(encodeFrame(header, params));
    return (reason) => {
      if (!this.#waiting.delete(header.id)) return;
      this.#wire.send(encodeFrame({ type: "cancel", id: header.id, reason }));
    };
  }

  /** Takes one text message of the runner; a broken one closes the tunnel. */
  receive(text: string): void {
    try {
      const frame = decodeFrame(text);
      if (frame === undefined) this.ignoredFrames++;
      else this.#take(frame);
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error;
      this.close(CLOSE.protocol, error.message.slice(0, 120));
    }
  }

  #take({ header, payload }: Frame): void {
    switch (header.type) {
      case "offer":
        this.#events.offered(decodeOffer(payload), payload);
        return;
      case "accepted":
        this.#waiting.get(header.id)?.accepted();
        return;
      case "note":
        this.#waiting.get(header.id)?.note(payload);
        return;
      case "result":
        this.#end(header.id)?.result(payload);
        return;
      case "error":
        this.#end(header.id)?.error(payload);
        return;
      case "drain":
        this.draining = true;
        return;
      default:
        throw new GatewayError(
          "tunnel_protocol",
          `Cannot take frame: "${header.type}" is the worker's`,
        );
    }
  }

  #end(id: string): Reply | undefined {
    const reply = this.#waiting.get(id);
    this.#waiting.delete(id);
    return reply;
  }

  close(code: number, reason: string): void {
    this.#wire.close(code, reason);
  }

  /** The connection is gone: every call that waits ends with `runner_lost`. */
  lost(): void {
    const replies = [...this.#waiting.values()];
    this.#waiting.clear();
    const error = JSON.stringify(toRpcError(
      new GatewayError(
        "runner_lost",
        `Lost the connection to the runner "${this.runner.machine}" during the call: ` +
          "it may have run, check before you call again",
      ),
    ));
    for (const reply of replies) reply.error(error);
  }
}
