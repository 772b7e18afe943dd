/**
 * Reads the name of the host from the first message of TLS (RFC 8446 §4.1.2, RFC 6066 §3), however it is
 * split over records and packets. Nothing else of TLS is touched: what was read is passed on as it came.
 *
 * @module
 */

/** Most that a client may send before the name is known, in bytes; record headers included. */
export const MAX_HELLO_BYTES = 16 * 1024;

/** What the bytes so far tell. */
export type Hello =
  /** Nothing yet. */
  | "more"
  /** That it is no ClientHello, or one that is cut, too long, or contradicts itself. */
  | "invalid"
  /** The name that was asked for; `undefined` if none was. */
  | { readonly name: string | undefined };

const HANDSHAKE = 22;
const CLIENT_HELLO = 1;
const SERVER_NAME = 0;
const HOST_NAME = 0;

/** Looks at all bytes that a client has sent so far. Never throws. */
export function readClientHello(bytes: Uint8Array): Hello {
  const message = handshake(bytes);
  if (typeof message === "string") return message;
  try {
    return { name: serverName(message) };
  } catch (error) {
    if (error instanceof RangeError) return "invalid";
    throw error;
  }
}

/** The body of the first handshake message, put together from the records that carry it. */
function handshake(bytes: Uint8Array): Uint8Array | "more" | "invalid" {
  const parts: Uint8Array[] = [];
  let gathered = 0;
  let wanted = 4;
  let at = 0;
  for (;;) {
    if (at > MAX_HELLO_BYTES) return "invalid";
    // Record: type, version 3.x, length. What may be wrong is said as soon as it can be seen.
    if (at < bytes.length && bytes[at] !== HANDSHAKE) return "invalid";
    if (at + 1 < bytes.length && bytes[at + 1] !== 3) return "invalid";
    if (at + 5 > bytes.length) return tooLittle(bytes);
    const length = (bytes[at + 3] ?? 0) * 256 + (bytes[at + 4] ?? 0);
    if (length === 0 || at + 5 + length > MAX_HELLO_BYTES) return "invalid";
    const fragment = bytes.subarray(at + 5, at + 5 + length);
    parts.push(fragment);
    gathered += fragment.length;
    at += 5 + length;
    if (wanted === 4 && gathered >= 4) {
      const head = join(parts, 4);
      if (head[0] !== CLIENT_HELLO) return "invalid";
      wanted = 4 + (head[1] ?? 0) * 65_536 + (head[2] ?? 0) * 256 + (head[3] ?? 0);
      if (wanted > MAX_HELLO_BYTES) return "invalid";
    }
    if (wanted > 4 && gathered >= wanted) return join(parts, wanted).subarray(4);
    if (fragment.length < length) return tooLittle(bytes);
  }
}

function tooLittle(bytes: Uint8Array): "more" | "invalid" {
  return bytes.length >= MAX_HELLO_BYTES ? "invalid" : "more";
}

function join(parts: readonly Uint8Array[], length: number): Uint8Array {
  const whole = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    const fits = part.subarray(0, length - at);
    whole.set(fits, at);
    at += fits.length;
  }
  return whole;
}

/** @throws {RangeError} when a length leads out of what contains it, or a name is there twice. */
function serverName(body: Uint8Array): string | undefined {
  const hello = new Reader(body);
  hello.take(2 + 32); // legacy_version, random
  hello.take(hello.uint8()); // legacy_session_id
  hello.take(hello.uint16()); // cipher_suites
  hello.take(hello.uint8()); // legacy_compression_methods
  if (hello.atEnd) return undefined;
  const extensions = new Reader(hello.take(hello.uint16()));
  if (!hello.atEnd) throw new RangeError("Bytes after the extensions");
  let found: { readonly name: string | undefined } | undefined;
  while (!extensions.atEnd) {
    const type = extensions.uint16();
    const data = extensions.take(extensions.uint16());
    if (type !== SERVER_NAME) continue;
    // Two of them, and the server may take the other one.
    if (found !== undefined) throw new RangeError("Two server_name extensions");
    found = { name: hostName(data) };
  }
  return found?.name;
}

function hostName(data: Uint8Array): string | undefined {
  const extension = new Reader(data);
  const list = new Reader(extension.take(extension.uint16()));
  if (!extension.atEnd) throw new RangeError("Bytes after the list of names");
  let name: string | undefined;
  while (!list.atEnd) {
    const type = list.uint8();
    const bytes = list.take(list.uint16());
    // "The ServerNameList MUST NOT contain more than one name of the same name_type."
    if (type !== HOST_NAME || name !== undefined) throw new RangeError("More than one name");
    name = Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
  }
  return name;
}

class Reader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get atEnd(): boolean {
    return this.#at === this.#bytes.length;
  }

  take(length: number): Uint8Array {
    if (this.#at + length > this.#bytes.length) throw new RangeError("Cut short");
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }

  uint8(): number {
    return this.take(1)[0] ?? 0;
  }

  uint16(): number {
    const [high = 0, low = 0] = this.take(2);
    return high * 256 + low;
  }
}
