/**
 * Reads request bodies within limits. The routes call it after the caller is known.
 *
 * @module
 */
import { GatewayError } from "../../src/errors.ts";

/** Longest accepted body of an MCP request, in bytes. */
const MAX_BODY_BYTES = 4 * 1024 * 1024;

const UTF_8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Milliseconds for a body to arrive whole, unless told otherwise. */
const BODY_MS = 30_000;

/** How much is read of a body, and how long. */
export interface BodyLimits {
  /** Bodies above it are refused while they arrive, whatever `Content-Length` says; 4 MiB unless given. */
  readonly maxBytes?: number;
  /** Milliseconds for it to arrive: a client that dribbles holds no place for ever. 30 s unless given. */
  readonly bodyMs?: number | undefined;
}

/**
 * The body as text.
 *
 * @throws {GatewayError} `unsupported_media_type` unless it is plain `application/json` in UTF-8,
 * `too_large`, `malformed_json` for bytes that are not UTF-8, `request_timeout`, `invalid_request` when
 * it breaks off.
 */
export async function readBody(
  request: Request,
  { maxBytes = MAX_BODY_BYTES, bodyMs = BODY_MS }: BodyLimits = {},
): Promise<string> {
  requireJson(request.headers);
  const bytes = await inTime(startReading(request, maxBytes), bodyMs);
  if (bytes.length > maxBytes) throw tooLarge(maxBytes);
  const text = decode(bytes);
  // Refused here (RFC 8259 §8.1), as the way to the home would drop it on some platforms only.
  if (text.startsWith("\ufeff")) {
    throw new GatewayError("malformed_json", "Cannot read body: it begins with a byte order mark");
  }
  return text;
}

function decode(bytes: Uint8Array): string {
  try {
    return UTF_8.decode(bytes);
  } catch (cause) {
    throw new GatewayError("malformed_json", "Cannot read body: not UTF-8", { cause });
  }
}

function requireJson(headers: Headers): void {
  const [media = "", ...parameters] = (headers.get("content-type") ?? "").toLowerCase().split(";");
  const utf8 = parameters.map((parameter) => parameter.trim())
    .filter((parameter) => parameter.startsWith("charset="))
    .every((charset) => /^charset=(?:utf-8|"utf-8")$/.test(charset));
  if (media.trim() !== "application/json" || !utf8 || headers.has("content-encoding")) {
    throw new GatewayError(
      "unsupported_media_type",
      "Cannot read body: send Content-Type: application/json in UTF-8, not compressed",
    );
  }
}

/** A body that is being read. */
interface Reading {
  readonly bytes: Promise<Uint8Array>;
  /** Stops it. */
  readonly giveUp: () => void;
}

function startReading(request: Request, maxBytes: number): Reading {
  const announced = request.headers.get("content-length") ?? "";
  // The platform holds a body to its announced length, and reads it at once much faster than by
  // chunks; on Node even to look at `request.body` makes a stream of it.
  if ((/^\d+$/.test(announced) && Number(announced) <= maxBytes) || request.body === null) {
    const bytes = request.arrayBuffer().then((buffer) => new Uint8Array(buffer));
    return { bytes, giveUp: () => {} };
  }
  const reader = request.body.getReader();
  // A stream that is broken cannot be stopped any more, and need not.
  return { bytes: collect(reader, maxBytes), giveUp: () => void reader.cancel().catch(() => {}) };
}

/** Times the limit that a body may have to be read, and thrown away, before it is refused. */
const DISCARD_FACTOR = 4;

/**
 * The whole body. One that is too long is read on for a while and thrown away: a client that is
 * still sending would see a broken connection instead of the answer.
 */
async function collect(
  reader: ReadableStreamDefaultReader<Uint8Array>,
  maxBytes: number,
): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    length += value.length;
    if (length <= maxBytes) chunks.push(value);
    else chunks.length = 0;
    if (length > maxBytes * DISCARD_FACTOR) {
      await reader.cancel();
      break;
    }
  }
  if (length > maxBytes) throw tooLarge(maxBytes);
  const [only] = chunks;
  if (only !== undefined && chunks.length === 1) return only;
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}

function inTime({ bytes, giveUp }: Reading, ms: number): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      reject(
        new GatewayError("request_timeout", `Cannot read body: it has not arrived within ${ms} ms`),
      );
      giveUp();
    }, ms);
    bytes.then(resolve, (cause) => {
      if (cause instanceof GatewayError) reject(cause);
      else reject(new GatewayError("invalid_request", "Cannot read body: it broke off", { cause }));
    }).finally(() => clearTimeout(timer));
  });
}

function tooLarge(maxBytes: number): GatewayError {
  return new GatewayError("too_large", `Cannot read body: the limit is ${maxBytes} bytes`);
}
