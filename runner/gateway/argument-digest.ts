import { createHash } from "node:crypto";

/** Digits by which a double tells all numbers apart. */
const EXACT_DIGITS = 15;

/** The reading of JSON with the text of what is read (ECMAScript "JSON.parse source text access"). */
interface SourceReader {
  parse(
    text: string,
    revive: (key: string, value: unknown, context?: { readonly source?: string }) => unknown,
  ): unknown;
}

/**
 * A digest of a request, the same for arguments that mean the same: a client may write them anew with
 * each round.
 *
 * @param args JSON text of the arguments; undefined without.
 */
export function digestOf(method: string, name: string, args: string | undefined): string {
  const value = args === undefined ? null : canonical(args);
  return createHash("sha256").update(JSON.stringify([method, name, value])).digest("base64url");
}

/** The members of every object as a list in the order of their names, and every number exactly. */
function canonical(text: string): unknown {
  const reader: SourceReader = JSON;
  return reader.parse(text, (_key, value, { source } = {}) => {
    if (typeof value === "number") return { number: exact(value, source) };
    if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
    const members: [string, unknown][] = Object.entries(value);
    return { object: members.toSorted(([a], [b]) => (a < b ? -1 : 1)) };
  });
}

/** One text for all spellings of a number that a double holds; others stay as they are written. */
function exact(value: number, source = String(value)): string {
  const digits = source.replace(/[eE].*$/, "").replace(/\D/g, "");
  const size = Math.abs(value);
  const held = digits.length <= EXACT_DIGITS &&
    (size === 0 ? !/[1-9]/.test(digits) : size > 1e-300 && size < 1e300);
  return held ? String(value) : source;
}
