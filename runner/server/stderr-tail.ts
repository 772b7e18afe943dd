import { printable } from "../../src/log.ts";

/** Lines kept: enough to see a stack's beginning and its cause. */
const MAX_LINES = 20;

/** Characters kept of each line. */
const MAX_LINE_LENGTH = 500;

/** Characters given out: the last lines count most. */
const MAX_LENGTH = 2_048;

/** The last lines that a server printed to stderr, for the operator's eyes. */
export class StderrTail {
  readonly #lines: string[] = [];
  readonly #redact: (text: string) => string;

  /** @param redact Takes out what nobody may see; nothing unless given. */
  constructor(redact: (text: string) => string = (text) => text) {
    this.#redact = redact;
  }

  add(line: string): void {
    this.#lines.push(printable(this.#redact(line)).slice(0, MAX_LINE_LENGTH));
    if (this.#lines.length > MAX_LINES) this.#lines.shift();
  }

  /** The lines, oldest first; undefined when there are none. */
  text(): string | undefined {
    let length = 0;
    const kept = this.#lines.toReversed().filter((line) =>
      (length += line.length + 1) <= MAX_LENGTH
    );
    return kept.length === 0 ? undefined : kept.toReversed().join("\n");
  }
}
