/**
 * One connected runner as its home sees it: sends calls, and hands what comes back to whoever waits.
 * A reply is taken only for a call that went out on this very link.
 *
 * @module
 */
import type { Reply } from "../../src/call.ts";
import type { Clock } from "../../src/clock.ts";
import { GatewayError, toRpcError } from "../../src/errors.ts";
import { decodeOffer, type Offer } from "../../src/mcp/offer.ts";
import { CLOSE } from "../../src/tunnel/close.ts";
import { decodeFrame, encodeFrame, type Frame, type HeaderOf } from "../../src/tunnel/frame.ts";
import { DEAD_MS } from "../../src/tunnel/heartbeat.ts";
import type { Wire } from "../../src/tunnel/wire.ts";

/** Milliseconds between two looks at whether a runner that owes answers still gives signs of life. */
const WATCH_MS = 5_000;

/** What a runner said of itself in `hello`. */
export type RunnerInfo = HeaderOf<"hello">["runner"];

/** What a link tells its home. */
export interface LinkEvents {
  /** The runner was silent for DEAD_MS while somebody waited for it. */
  readonly silent: () => void;
  /** The runner has put a new offer in place of its old one. */
  readonly offered: (offer: Offer, payload: string) => void;
}

/** What makes a connection. */
export interface LinkOptions {
  readonly hello: HeaderOf<"hello">;
  /** Id of the tunnel token that opened it. */
  readonly token: string;
  readonly wire: Wire;
  readonly clock: Clock;
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
  readonly #clock: Clock;
  #heardAt: number;
  /** Runs only while somebody waits, so that a Durable Object without calls may sleep. */
  #stopWatch: (() => void) | undefined;

  constructor({ hello, token, wire, clock }: LinkOptions, events: LinkEvents) {
    this.runner = hello.runner;
    this.maxCalls = hello.maxCalls;
    this.token = token;
    this.#wire = wire;
    this.#events = events;
    this.#clock = clock;
    this.#heardAt = clock.now();
  }

  /** Whether the runner has been silent for so long that it counts as gone. */
  get silent(): boolean {
    const heardAt = Math.max(this.#heardAt, this.#wire.heardAt?.() ?? 0);
    return this.#clock.now() - heardAt >= DEAD_MS;
  }

  /** The runner has given a sign of life. */
  heard(): void {
    this.#heardAt = this.#clock.now();
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
    this.#stopWatch ??= this.#watch();
    this.#wire.send(encodeFrame(header, params));
    return (reason) => {
      if (this.#end(header.id) === undefined) return;
      this.#wire.send(encodeFrame({ type: "cancel", id: header.id, reason }));
    };
  }

  /** Takes one text message of the runner; a broken one closes the tunnel. */
  receive(text: string): void {
    this.heard();
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

  #watch(): () => void {
    return this.#clock.after(WATCH_MS, () => {
      this.#stopWatch = undefined;
      if (this.#waiting.size === 0) return;
      if (this.silent) this.#events.silent();
      else this.#stopWatch = this.#watch();
    });
  }

  #end(id: string): Reply | undefined {
    const reply = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (this.#waiting.size === 0) {
      this.#stopWatch?.();
      this.#stopWatch = undefined;
    }
    return reply;
  }

  close(code: number, reason: string): void {
    this.#wire.close(code, reason);
  }

  /** The connection is gone: every call that waits ends with `runner_lost`. */
  lost(): void {
    this.#stopWatch?.();
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
