/**
 * Takes apart what the engine sends over an attach socket: stdout and stderr of one container, in frames.
 * Called by attached.ts with every chunk of the socket, whole or torn anywhere.
 *
 *     frame = type (1 byte: 0 stdin, 1 stdout, 2 stderr) · 3 zero bytes · length (4 bytes, big-endian)
 *           · payload (length bytes)
 *
 * Our own because docker-modem's recurses once per frame and overflows the stack on many small ones.
 *
 * @module
 */

/** The output of a container that a payload belongs to. */
export type Output = "stdout" | "stderr";

const HEADER_BYTES = 8;
const STDERR = 2;

/** One attach socket's worth of frames. */
export class Demultiplexer {
  readonly #emit: (output: Output, payload: Uint8Array) => void;
  readonly #header = new Uint8Array(HEADER_BYTES);
  #headerLength = 0;
  #payloadLeft = 0;
  #output: Output = "stdout";

  /**
   * @param emit Gets payloads as they arrive: a frame may come in several pieces. A piece is a view of
   *   the chunk, valid until the chunk is reused.
   */
  constructor(emit: (output: Output, payload: Uint8Array) => void) {
    this.#emit = emit;
  }

  /**
   * Takes the next bytes of the socket.
   *
   * @throws {SyntaxError} when they are no frames, as from a container with a terminal. The rest of the
   *   socket cannot be understood then.
   */
  push(chunk: Uint8Array): void {
    let at = 0;
    while (at < chunk.length) {
      if (this.#payloadLeft > 0) {
        const piece = chunk.subarray(at, at + this.#payloadLeft);
        at += piece.length;
        this.#payloadLeft -= piece.length;
        this.#emit(this.#output, piece);
      } else {
        const part = chunk.subarray(at, at + HEADER_BYTES - this.#headerLength);
        at += part.length;
        this.#header.set(part, this.#headerLength);
        this.#headerLength += part.length;
        if (this.#headerLength === HEADER_BYTES) this.#open();
      }
    }
  }

  #open(): void {
    const view = new DataView(this.#header.buffer);
    const type = view.getUint8(0);
    if (type > STDERR) {
      throw new SyntaxError(
        `Cannot read output of the container: frame type is ${type}, at most 2 is known`,
      );
    }
    this.#output = type === STDERR ? "stderr" : "stdout";
    this.#payloadLeft = view.getUint32(4);
    this.#headerLength = 0;
  }
}
