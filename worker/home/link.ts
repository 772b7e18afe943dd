/**
 * One connected runner as its home sees it: sends calls, and hands what comes back to whoever waits.
 * A reply is taken only for a call that went out on this very link.
 *
 * @module
 */
import type { Reply } from "../../src/call.ts";
import type { Clock } from "../../src/clock.ts";
import { GatewayError, toRpcError } from "../../src/errors.ts";
import { printable } from "../../src/log.ts";
import { decodeOffer, type Offer } from "../../src/mcp/offer.ts";
import { CLOSE } from "../../src/tunnel/close.ts";
import { decodeFrame, encodeFrame, type Frame, type HeaderOf } from "../../src/tunnel/frame.ts";
import { DEAD_MS } from "../../src/tunnel/heartbeat.ts";
import type { Wire } from "../../src/tunnel/wire.ts";
import { isNotification } from "./notification.ts";
import { WaitingCalls } from "./waiting.ts";

/** Frames of a runner that say nothing without their payload. */
const WITH_PAYLOAD: ReadonlySet<string> = new Set(["note", "result", "error"]);

/** What a runner said of itself in `hello`; its machine's name is safe to show. */
export type RunnerInfo = HeaderOf<"hello">["runner"];

/** What a link tells its home. */
export interface LinkEvents {
  /** The link is over, whoever ended it; called once. */
  readonly ended: () => void;
  /** The runner has put a new offer in place of its old one. */
  readonly offered: (
    offer: Offer,
    payload: string,
    changed: HeaderOf<"offer">["changed"],
  ) => void;
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
  /** Frames of types that this version does not know, and notes that are no notifications. */
  ignoredFrames = 0;
  readonly #wire: Wire;
  readonly #events: LinkEvents;
  readonly #waiting: WaitingCalls;
  readonly #clock: Clock;
  #heardAt: number;
  /** Closed by us, while the other end may go on speaking, or lost. */
  #over = false;

  constructor({ hello, token, wire, clock }: LinkOptions, events: LinkEvents) {
    this.runner = { ...hello.runner, machine: printable(hello.runner.machine) };
    this.maxCalls = hello.maxCalls;
    this.token = token;
    this.#wire = wire;
    this.#events = events;
    this.#clock = clock;
    this.#waiting = new WaitingCalls(clock, () => this.dropIfSilent());
    this.#heardAt = clock.now();
  }

  /** Ends the link if its runner has been silent for so long that it counts as gone. */
  dropIfSilent(): boolean {
    const heardAt = Math.max(this.#heardAt, this.#wire.heardAt?.() ?? 0);
    const silent = this.#clock.now() - heardAt >= DEAD_MS;
    // Without waiting for the socket to find out.
    if (silent) this.close(CLOSE.silent, "The runner was silent for too long");
    return silent;
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
    if (this.#over) {
      reply.error(this.#lostError("no"));
      return () => {};
    }
    this.#waiting.add(header.id, reply);
    this.#wire.send(encodeFrame(header, params));
    return (reason) => {
      if (this.#waiting.end(header.id) === undefined) return;
      this.#wire.send(encodeFrame({ type: "cancel", id: header.id, reason }));
    };
  }

  /** Takes one text message of the runner; a broken one closes the tunnel. */
  receive(text: string): void {
    if (this.#over) return;
    this.heard();
    try {
      const frame = decodeFrame(text);
      if (frame === undefined) this.ignoredFrames++;
      else this.#take(frame);
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error;
      // The message may repeat what the runner sent; a reason has at most 123 bytes.
      this.close(CLOSE.protocol, error.message.replace(/[^\x20-\x7e]/g, "?").slice(0, 120));
    }
  }

  #take({ header, payload }: Frame): void {
    if (WITH_PAYLOAD.has(header.type) && !/\S/.test(payload)) {
      throw new GatewayError("tunnel_protocol", `Cannot take frame: "${header.type}" is empty`);
    }
    switch (header.type) {
      case "offer":
        this.#events.offered(decodeOffer(payload), payload, header.changed);
        return;
      case "accepted":
        this.#waiting.get(header.id)?.accepted();
        return;
      case "note":
        if (isNotification(payload)) this.#waiting.get(header.id)?.note(payload);
        else this.ignoredFrames++;
        return;
      case "result":
        this.#waiting.end(header.id)?.result(payload, header.resultType);
        return;
      case "error":
        this.#waiting.end(header.id)?.error(payload, header.status);
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

  /** Ends the link from this end; whatever the runner says from now on is not heard. */
  close(code: number, reason: string): void {
    if (this.#over) return;
    this.#wire.close(code, reason);
    this.lost();
  }

  /** The connection is gone: every call that waits ends with `runner_lost`. */
  lost(): void {
    if (this.#over) return;
    this.#over = true;
    const replies = this.#waiting.endAll();
    this.#events.ended();
    for (const reply of replies) reply.error(this.#lostError("unknown"));
  }

  #lostError(executed: "no" | "unknown"): string {
    const { machine } = this.runner;
    const advice = executed === "no"
      ? "it did not run"
      : "it may have run, check before you call again";
    return JSON.stringify(toRpcError(
      new GatewayError(
        "runner_lost",
        `Lost the connection to the runner "${machine}" during the call: ${advice}`,
        { executed },
      ),
    ));
  }
}
