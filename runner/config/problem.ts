import { GatewayError } from "../../src/errors.ts";
import { printable } from "../../src/log.ts";

/** Problems shown at once; after that the reader has enough to do. */
export const MAX_PROBLEMS = 20;

/** Longest piece of the user's own text that a message repeats, in characters. */
const MAX_QUOTE = 48;

/** One thing that is wrong in the text of a configuration. */
export interface Problem {
  /** Where it begins, in UTF-16 code units from the start of the text. */
  readonly offset: number;
  /** What it is about: a path such as `servers.notes.limits.memory`, or `yaml` for the syntax itself. */
  readonly subject: string;
  /** What is wrong, then what is allowed. */
  readonly text: string;
}

/** A text, and the name under which its problems are reported. */
interface Subject {
  readonly file: string;
  readonly text: string;
}

/**
 * The error that lists `problems` in the order of the text, one line `file:line:col subject: text` each.
 * Lines and columns count from 1, columns in UTF-16 code units, as editors do.
 */
export function problemsError(
  { file, text }: Subject,
  problems: readonly Problem[],
): GatewayError {
  const name = printable(file);
  const ordered = problems.toSorted((a, b) => a.offset - b.offset);
  const shown = ordered.slice(0, MAX_PROBLEMS).map(({ offset, subject, text: message }) => {
    const before = text.slice(0, offset);
    const column = offset - before.lastIndexOf("\n");
    return `${name}:${before.split("\n").length}:${column} ${subject}: ${message}`;
  });
  const count = problems.length === 1 ? "1 problem" : `${problems.length} problems`;
  const more = problems.length - shown.length;
  return new GatewayError(
    "config_invalid",
    [`Cannot use ${name}: ${count}`, ...shown, ...(more > 0 ? [`… and ${more} more`] : [])].join(
      "\n",
    ),
  );
}

/** `text` as a message may repeat it: quoted, cut, and without characters that move a cursor. */
export function quote(text: string): string {
  const characters = Array.from(text.slice(0, 2 * MAX_QUOTE));
  const cut = characters.length > MAX_QUOTE || text.length > 2 * MAX_QUOTE;
  return `"${printable(characters.slice(0, MAX_QUOTE).join(""))}${cut ? "…" : ""}"`;
}

/** Keys and indexes as people write them: `servers.notes.args[0]`. */
export function formatPath(path: readonly unknown[]): string {
  const parts = path.map((key) => {
    if (typeof key === "number") return `[${key}]`;
    const name = String(key);
    return /^[A-Za-z0-9_-]{1,64}$/.test(name) ? `.${name}` : `[${quote(name)}]`;
  });
  return parts.join("").replace(/^\./, "") || "file";
}
