import type { Duplex } from "node:stream";
import { Demultiplexer, type Output } from "../docker/demultiplexer.ts";

/** One output of a run. */
export interface Collected {
  readonly text: string;
  /** Whether more came than is kept. */
  readonly isCut: boolean;
}

/** Bytes that are kept of each output. */
export const MAX_OUTPUT_BYTES = 1024 * 1024;

/** Collects what a container prints over its attach socket, which is read to its end. */
export function collect(socket: Duplex): {
  /** Resolves with the end of the socket. */
  readonly closed: Promise<unknown>;
  /** What has come so far. */
  taken(): Record<Output, Collected>;
} {
  const kept: Record<Output, Kept> = { stdout: new Kept(), stderr: new Kept() };
  const demultiplexer = new Demultiplexer((output, payload) => kept[output].add(payload));
  // Also when nothing is kept any more: an engine whose socket nobody reads hangs.
  socket.on("data", (chunk: Uint8Array) => {
    try {
      demultiplexer.push(chunk);
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
      socket.destroy();
    }
  });
  socket.on("error", () => {});
  const closed = new Promise((resolve) => socket.once("close", resolve));
  return {
    closed,
    taken: () => ({ stdout: kept.stdout.collected(), stderr: kept.stderr.collected() }),
  };
}

/** The first bytes of an output. In one piece: a program may print a byte at a time. */
class Kept {
  #bytes = new Uint8Array(4 * 1024);
  #length = 0;
  #isCut = false;

  add(payload: Uint8Array): void {
    const piece = payload.subarray(0, MAX_OUTPUT_BYTES - this.#length);
    this.#isCut ||= piece.length < payload.length;
    const length = this.#length + piece.length;
    if (length > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(length, 2 * this.#bytes.length));
      grown.set(this.#bytes.subarray(0, this.#length));
      this.#bytes = grown;
    }
    this.#bytes.set(piece, this.#length);
    this.#length = length;
  }

  collected(): Collected {
    const text = new TextDecoder().decode(this.#bytes.subarray(0, this.#length));
    return { text, isCut: this.#isCut };
  }
}
