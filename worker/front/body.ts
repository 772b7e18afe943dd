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
  if (Number(request.headers.get("content-length") ?? 0) > maxBytes) throw tooLarge(maxBytes);
  const bytes = await readBytes(request, maxBytes);
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
  if (request.headers.has("content-length")) {
    // Bounded above; the platform holds a body to its length.
    const bytes = new Uint8Array(await inTime(request.arrayBuffer()));
    if (bytes.length > maxBytes) throw tooLarge(maxBytes);
    return bytes;
  }
  if (request.body === null) return new Uint8Array();
  const reader = request.body.getReader();
  try {
    return await inTime(collect(reader, maxBytes));
  } catch (error) {
    reader.cancel().catch(() => {
      // The client's connection is already gone: nothing is left to stop.
    });
    throw error;
  }
}

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
    if (length > maxBytes) throw tooLarge(maxBytes);
    chunks.push(value);
  }
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
