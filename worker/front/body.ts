/**
 * Reads request bodies within limits. The routes call it after the caller is known.
 *
 * @module
 */
import { GatewayError } from "../../src/errors.ts";

/** Longest accepted body of an MCP request, in bytes. */
export const MAX_BODY_BYTES = 4 * 1024 * 1024;

/** Milliseconds for a body to arrive whole: a client that dribbles does not hold a place for ever. */
const BODY_DEADLINE_MS = 30_000;

/**
 * The body as text.
 *
 * @param maxBytes Bodies above it are refused while they arrive, whatever `Content-Length` says.
 * @throws {GatewayError} `unsupported_media_type` unless it is plain `application/json` in UTF-8,
 * `too_large`, `malformed_json` for bytes that are not UTF-8, `invalid_request` when it is too slow.
 */
export async function readBody(request: Request, maxBytes: number): Promise<string> {
  requireJson(request.headers);
  const bytes = await inTime(readBytes(request, maxBytes));
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw new GatewayError("malformed_json", "Cannot read body: not UTF-8", { cause });
  }
}

function requireJson(headers: Headers): void {
  const [media = "", ...parameters] = (headers.get("content-type") ?? "").toLowerCase().split(";");
  const charset = parameters.find((parameter) => parameter.trim().startsWith("charset="));
  const utf8 = charset === undefined || /^charset="?utf-8"?$/.test(charset.trim());
  if (media.trim() !== "application/json" || !utf8 || headers.has("content-encoding")) {
    throw new GatewayError(
      "unsupported_media_type",
      "Cannot read body: send Content-Type: application/json in UTF-8, not compressed",
    );
  }
}

async function readBytes(request: Request, maxBytes: number): Promise<Uint8Array> {
  const length = Number(request.headers.get("content-length") ?? Infinity);
  // The platform holds a body to its announced length, and reads it at once faster than by chunks.
  if (length <= maxBytes) return new Uint8Array(await request.arrayBuffer());
  return request.body === null ? new Uint8Array() : collect(request.body.getReader(), maxBytes);
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

function inTime<T>(reading: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new GatewayError("invalid_request", "Cannot read body: it arrives too slowly")),
      BODY_DEADLINE_MS,
    );
    reading.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

function tooLarge(maxBytes: number): GatewayError {
  return new GatewayError("too_large", `Cannot read body: the limit is ${maxBytes} bytes`);
}
