/**
 * Answers one message of DNS (RFC 1035): allowed names lead to the proxy, all others do not exist. No
 * question is ever passed on, so a name can carry nothing out.
 *
 * @module
 */

/** Seconds for which an answer may be kept: a proxy that is made anew may have another address. */
const TTL_S = 5;

const A = 1;
const INTERNET = 1;
const NO_ERROR = 0;
const NO_SUCH_NAME = 3;
const NOT_IMPLEMENTED = 4;

/** What to send back, and the name that was asked for in vain. */
export interface Reply {
  readonly message: Uint8Array;
  readonly blocked?: string;
}

/**
 * The reply to `query`, or `undefined` for what is not a question, which gets none. Never throws.
 *
 * @param address The four bytes of the proxy's address.
 * @param knows Whether a name is allowed; names come in lower case and without a dot at their end.
 */
export function answer(
  query: Uint8Array,
  address: readonly number[],
  knows: (name: string) => boolean,
): Reply | undefined {
  const asked = question(query);
  if (asked === undefined) return undefined;
  if (asked === "unknown") return { message: reply(query, 12, NOT_IMPLEMENTED) };
  const { name, type, kind, end } = asked;
  if (kind !== INTERNET || !knows(name)) {
    // A refusal would make Docker's resolver and C libraries ask again and wait.
    return { message: reply(query, end, NO_SUCH_NAME), blocked: name };
  }
  // Of other types the name has no records: no IPv6, and no keys for an encrypted ClientHello.
  const record = type === A
    // The name is that of the question, at byte 12.
    ? [0xc0, 12, 0, A, 0, INTERNET, 0, 0, 0, TTL_S, 0, 4, ...address]
    : [];
  return { message: reply(query, end, NO_ERROR, record) };
}

interface Question {
  readonly name: string;
  readonly type: number;
  readonly kind: number;
  /** Where the question ends in the message. */
  readonly end: number;
}

function question(query: Uint8Array): Question | "unknown" | undefined {
  const byte = (at: number) => query[at] ?? 0;
  // Answers are not answered.
  if (query.length < 12 || query.length > 512 || (byte(2) & 0x80) !== 0) return undefined;
  const questions = byte(4) * 256 + byte(5);
  if ((byte(2) & 0x78) !== 0 || questions !== 1) return "unknown";
  const labels: string[] = [];
  let at = 12;
  while (byte(at) !== 0) {
    const length = byte(at);
    // Two high bits would be a pointer, which nothing can come before.
    if (length > 63 || at + 1 + length >= query.length || at - 12 > 254) return undefined;
    const label = query.subarray(at + 1, at + 1 + length);
    labels.push(Array.from(label, (value) => String.fromCharCode(value)).join(""));
    at += 1 + length;
  }
  const end = at + 5;
  if (end > query.length) return undefined;
  return {
    // A dot inside a label must not read as the border of two.
    name: labels.map((label) => label.replaceAll(".", "\\.")).join(".").toLowerCase(),
    type: byte(at + 1) * 256 + byte(at + 2),
    kind: byte(at + 3) * 256 + byte(at + 4),
    end,
  };
}

function reply(
  query: Uint8Array,
  end: number,
  code: number,
  record: readonly number[] = [],
): Uint8Array {
  const hasQuestion = end > 12 ? 1 : 0;
  const head = [
    ...query.subarray(0, 2),
    // QR, AA, and RD as it was asked; RA, so that nobody looks for another server.
    0x84 | ((query[2] ?? 0) & 0x01),
    0x80 | code,
    0,
    hasQuestion,
    0,
    record.length > 0 ? 1 : 0,
    0,
    0,
    0,
    0,
  ];
  return Uint8Array.from([...head, ...query.subarray(12, end), ...record]);
}
