/**
 * Which fields of a message go on to the other side: all but those of one connection (RFC 9110 §7.6.1).
 *
 * @module
 */

/** Fields of a connection, and those by which a proxy is told who asks. */
const HOP_BY_HOP = [
  "connection",
  "keep-alive",
  "proxy-connection",
  "proxy-authenticate",
  "proxy-authorization",
  "expect",
  "te",
  "transfer-encoding",
  "upgrade",
];

/**
 * Names and values in turn, as Node gives and takes them.
 *
 * @param raw All fields of the message that came.
 * @param drop More names to leave out, in lower case.
 */
export function passedOn(raw: readonly string[], ...drop: readonly string[]): string[] {
  const fields = Array.from(
    { length: Math.floor(raw.length / 2) },
    (_, i) => [raw[2 * i] ?? "", raw[2 * i + 1] ?? ""] as const,
  );
  const named = fields.filter(([name]) => name.toLowerCase() === "connection")
    .flatMap(([, value]) => value.toLowerCase().split(",").map((part) => part.trim()));
  const left = new Set([...HOP_BY_HOP, ...named, ...drop]);
  return fields.filter(([name]) => !left.has(name.toLowerCase())).flat();
}

/** All values of a field. */
export function valuesOf(raw: readonly string[], field: string): string[] {
  return raw.filter((_, i) => i % 2 === 1 && raw[i - 1]?.toLowerCase() === field);
}
