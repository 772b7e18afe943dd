import { printable } from "../../src/log.ts";

/** Lines kept: enough to see a stack's beginning and its cause. */
const MAX_LINES = 20;

/** Characters kept of each line. */
const MAX_LINE_LENGTH = 500;

/** The last lines that a server printed to stderr, for the operator's eyes. */
export class StderrTail {
  readonly #lines: string[] = [];

  add(line: string): void {
    this.#lines.push(printable(line).slice(0, MAX_LINE_LENGTH));
    if (this.#lines.length > MAX_LINES) this.#lines.shift();
  }

  /** The lines, oldest first; undefined when there are none. */
  text(): string | undefined {
    return this.#lines.length === 0 ? undefined : this.#lines.join("\n");
  }
}
