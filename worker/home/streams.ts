/**
 * The streams that stay open as long as their clients listen: how many there are, and how they end
 * when this process stops or their client's token is revoked.
 *
 * @module
 */
import { GatewayError } from "../../src/errors.ts";

/** Most open streams of one home; each is a socket of the worker. */
const MAX_STREAMS = 256;

/** The open streams of one home. */
export class OpenStreams {
  /** What ends each stream, and the id of its client's token. */
  readonly #streams = new Map<() => void, string>();

  /**
   * Makes room for one more stream.
   *
   * @param end Ends it gracefully.
   * @param client Id of the client token that opened it.
   * @returns Gives the room back.
   * @throws {GatewayError} `overloaded`.
   */
  add(end: () => void, client: string): () => void {
    if (this.#streams.size >= MAX_STREAMS) {
      throw new GatewayError(
        "overloaded",
        `Cannot open the stream: ${MAX_STREAMS} are open, close one and try again`,
      );
    }
    this.#streams.set(end, client);
    return () => void this.#streams.delete(end);
  }

  /** Ends all of them. */
  drain(): void {
    for (const end of this.#streams.keys()) end();
  }

  /** Ends those of a client token that was revoked: only who opens a stream is asked for it. */
  revoke(token: string): void {
    for (const [end, client] of this.#streams) if (client === token) end();
  }
}
