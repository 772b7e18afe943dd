/**
 * What a client wants, from the first bytes that it sends: TLS with the name of a host, HTTP, or something
 * that names nobody.
 *
 * @module
 */
import { METHODS } from "node:http";
import type { Socket } from "node:net";
import { MAX_HELLO_BYTES, readClientHello } from "./client-hello.ts";
import { OPENING_MS } from "./settings.ts";

/** What a client has opened with. */
export type Opening =
  | { readonly kind: "tls"; readonly name: string | undefined }
  | { readonly kind: "http" }
  | { readonly kind: "other" }
  /** It has said nothing for a while: perhaps the host is to speak first. */
  | { readonly kind: "silent" }
  | { readonly kind: "invalid"; readonly reason: string }
  /** It has gone. */
  | { readonly kind: "gone" };

const TLS_HANDSHAKE = 22;

const LONGEST_METHOD = Math.max(...METHODS.map((method) => method.length));

/** Judges the bytes so far; `undefined` while they are too few. */
export function judge(bytes: Uint8Array): Opening | undefined {
  if (bytes.length === 0) return undefined;
  if (bytes[0] === TLS_HANDSHAKE) {
    const hello = readClientHello(bytes);
    if (hello === "more") return undefined;
    if (hello === "invalid") return { kind: "invalid", reason: "no valid ClientHello of TLS" };
    return { kind: "tls", name: hello.name };
  }
  const head = bytes.subarray(0, LONGEST_METHOD + 1);
  const text = Array.from(head, (byte) => String.fromCharCode(byte)).join("");
  if (METHODS.some((method) => text.startsWith(`${method} `))) return { kind: "http" };
  return METHODS.some((method) => `${method} `.startsWith(text)) ? undefined : { kind: "other" };
}

/**
 * Reads from `client` until its opening is known, then puts all bytes back and leaves it paused.
 *
 * @param silenceMs After which silence to give the answer `silent`; never if absent.
 * @param limitMs How long it may take altogether, in milliseconds.
 */
export function readOpening(
  client: Socket,
  silenceMs?: number,
  limitMs: number = OPENING_MS,
): Promise<Opening> {
  return new Promise((resolve) => {
    let bytes = new Uint8Array();
    const settle = (opening: Opening) => {
      clearTimeout(silence);
      clearTimeout(limit);
      client.off("data", onData).off("end", onClose).off("close", onClose).pause();
      if (bytes.length > 0 && !client.destroyed) client.unshift(bytes);
      resolve(opening);
    };
    const onData = (chunk: Uint8Array) => {
      clearTimeout(silence);
      const joined = new Uint8Array(bytes.length + chunk.length);
      joined.set(bytes);
      joined.set(chunk, bytes.length);
      bytes = joined;
      const opening = judge(bytes);
      if (opening !== undefined) settle(opening);
      else if (bytes.length >= MAX_HELLO_BYTES) {
        settle({ kind: "invalid", reason: "no valid ClientHello of TLS" });
      }
    };
    const onClose = () => {
      bytes = new Uint8Array();
      settle({ kind: "gone" });
    };
    const silence = silenceMs === undefined
      ? undefined
      : setTimeout(() => settle({ kind: "silent" }), silenceMs);
    const limit = setTimeout(() => settle({ kind: "invalid", reason: "too slow" }), limitMs);
    client.on("data", onData).once("end", onClose).once("close", onClose);
    client.resume();
  });
}
