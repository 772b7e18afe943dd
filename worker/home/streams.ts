/**
 * The streams that stay open as long as their clients listen: how many there are, and how they end
 * when this process stops, or their client's token is revoked or expires.
 *
 * @module
 */
import type { Clock } from "../../src/clock.ts";
import { GatewayError } from "../../src/errors.ts";
import type { Caller } from "../front/caller.ts";

/** Most open streams of one home; each is a socket of the worker. */
const MAX_STREAMS = 256;

/** Longest wait of one timer in milliseconds: 2^31 of them, 25 days, is more than runtimes take. */
const MAX_WAIT_MS = 24 * 3_600_000;

/** The open streams of one home. */
export class OpenStreams {
  readonly #clock: Clock;
  /** What ends each stream, and the id of its client's token. */
  readonly #streams = new Map<() => void, string>();
  /** Ids of tokens that were revoked while this home lives: the front door may believe in them a moment longer. */
  readonly #revoked = new Set<string>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * Makes room for one more stream, which ends at the latest when the token of its caller expires.
   *
   * @param end Ends it gracefully; not called before this has returned.
   * @returns Gives the room back.
   * @throws {GatewayError} `overloaded`; `unauthorized` for a token that was revoked a moment ago.
   */
  add(end: () => void, { client, expiresAt }: Caller): () => void {
    if (this.#revoked.has(client)) {
      throw new GatewayError(
        "unauthorized",
        "Cannot open the stream: the client token was revoked",
      );
    }
    if (this.#streams.size >= MAX_STREAMS) {
      throw new GatewayError(
        "overloaded",
        `Cannot open the stream: ${MAX_STREAMS} are open, close one and try again`,
      );
    }
    this.#streams.set(end, client);
    const stopTimer = expiresAt === undefined ? () => {} : this.#at(expiresAt, end);
    return () => {
      stopTimer();
      this.#streams.delete(end);
    };
  }

  /** Ends all of them. */
  drain(): void {
    for (const end of this.#streams.keys()) end();
  }

  /** Ends those of a client token that was revoked: only who opens a stream is asked for it. */
  revoke(token: string): void {
    this.#revoked.add(token);
    for (const [end, client] of this.#streams) if (client === token) end();
  }

  /** Calls `run` once at `time`, ms since epoch, however far away that is. */
  #at(time: number, run: () => void): () => void {
    const leftMs = Math.max(0, time - this.#clock.now());
    let stop = this.#clock.after(Math.min(leftMs, MAX_WAIT_MS), () => {
      if (leftMs <= MAX_WAIT_MS) run();
      else stop = this.#at(time, run);
    });
    return () => stop();
  }
}
