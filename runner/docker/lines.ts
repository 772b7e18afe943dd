/**
 * Splits the output of a server into lines, within a bound on memory. Called by attached.ts, once for
 * stdout (one JSON-RPC message a line, MCP stdio transport) and once for stderr (text for people).
 *
 * @module
 */

const NEWLINE = 0x0a;
const CARRIAGE_RETURN = 0x0d;

/** Bytes that are kept between lines; a buffer that grew past it is given back after its line. */
const KEPT_BYTES = 64 * 1024;

/** How to split, and who gets the lines. */
export interface LineRules {
  /** Longest line, in bytes without its end. */
  readonly maxBytes: number;
  /**
   * What a longer line does. `refuse`: `push` answers false and the splitter takes nothing more.
   * `cut`: the line is emitted without its rest.
   */
  readonly tooLong: "refuse" | "cut";
  /** Gets each line that is not empty, without its end. */
  readonly onLine: (line: string) => void;
  /** Gets the size of each line that is not UTF-8; without it, wrong bytes become U+FFFD. */
  readonly onGarbage?: (bytes: number) => void;
}

/** Lines of one stream of bytes, which may be torn anywhere. */
export class LineSplitter {
  readonly #rules: LineRules;
  readonly #decoder: TextDecoder;
  /** Start of a line whose end has not come; only the first `#length` bytes count. */
  #held = new Uint8Array(0);
  #length = 0;
  #refused = false;

  constructor(rules: LineRules) {
    this.#rules = rules;
    this.#decoder = new TextDecoder("utf-8", { fatal: rules.onGarbage !== undefined });
  }

  /** Takes the next bytes. False once a line is too long and the rules refuse it. */
  push(bytes: Uint8Array): boolean {
    let start = 0;
    while (!this.#refused) {
      const end = bytes.indexOf(NEWLINE, start);
      if (end === -1) {
        this.#hold(bytes.subarray(start));
        break;
      }
      const tail = bytes.subarray(start, end);
      if (this.#length === 0 && tail.length <= this.#rules.maxBytes) this.#emit(tail);
      else if (this.#hold(tail)) this.#release();
      start = end + 1;
    }
    return !this.#refused;
  }

  /** Takes the end of the stream: what is left over is a line. */
  end(): void {
    if (!this.#refused) this.#release();
  }

  /** Adds to the line that is held, within the bound; false if that line is refused. */
  #hold(bytes: Uint8Array): boolean {
    const { maxBytes, tooLong } = this.#rules;
    let added = bytes;
    if (this.#length + bytes.length > maxBytes) {
      if (tooLong === "refuse") {
        this.#refused = true;
        this.#drop();
        return false;
      }
      added = bytes.subarray(0, maxBytes - this.#length);
    }
    const length = this.#length + added.length;
    if (length > this.#held.length) {
      // Doubling keeps the copying linear, also when a line comes one byte at a time.
      const grown = new Uint8Array(
        Math.min(maxBytes, Math.max(length, 2 * this.#held.length, 1024)),
      );
      grown.set(this.#held.subarray(0, this.#length));
      this.#held = grown;
    }
    this.#held.set(added, this.#length);
    this.#length = length;
    return true;
  }

  #release(): void {
    this.#emit(this.#held.subarray(0, this.#length));
    this.#drop();
  }

  #drop(): void {
    this.#length = 0;
    if (this.#held.length > KEPT_BYTES) this.#held = new Uint8Array(0);
  }

  #emit(bytes: Uint8Array): void {
    const line = bytes.at(-1) === CARRIAGE_RETURN ? bytes.subarray(0, -1) : bytes;
    if (line.length === 0) return;
    let text: string;
    try {
      text = this.#decoder.decode(line);
    } catch {
      // The one error of a fatal decoder: these bytes are not UTF-8.
      this.#rules.onGarbage?.(line.length);
      return;
    }
    this.#rules.onLine(text);
  }
}
