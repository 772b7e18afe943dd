import type { Clock } from "../../src/clock.ts";
import { GatewayError } from "../../src/errors.ts";
import { EventStreamReader, type ServerSentEvent } from "./event-stream.ts";
import type { HeldBytes } from "./held-bytes.ts";
import type { HttpAnswer } from "./http-client.ts";

/** Longest message of an upstream, in bytes or UTF-16 code units: as for a line of a container. */
export const MAX_MESSAGE_LENGTH = 16 * 1024 * 1024;

/** How long a stream may stay open after what it was for, in milliseconds. */
const CLOSING_MS = 1_000;

/** Where a stream was left, to go on from there. */
export interface StreamEnd {
  /** Id of its last event that had one; undefined when it cannot be resumed. */
  readonly lastEventId: string | undefined;
  /** Milliseconds that the upstream asks us to wait; undefined when it does not say. */
  readonly retryMs: number | undefined;
  /** Why it broke; undefined when it was ended properly. */
  readonly broken: unknown;
  /** Whether it has done what it was for. */
  readonly done: boolean;
}

/** Whether the body of `answer` is a stream of events. */
export function isEventStream({ mediaType }: HttpAnswer): boolean {
  return mediaType === "text/event-stream";
}

/** How much of a body is read, and what it counts towards. */
export interface TextLimits {
  readonly maxBytes: number;
  readonly held: HeldBytes;
}

/**
 * Reads a whole body.
 *
 * @throws {GatewayError} `result_too_large`, or `server_failed` when it is no UTF-8.
 * Rejects with something else when it breaks off.
 */
export async function readText(
  { body, url }: HttpAnswer,
  { maxBytes, held }: TextLimits,
): Promise<string> {
  const chunks: Uint8Array[] = [];
  const account = held.open();
  let length = 0;
  try {
    for await (const chunk of body) {
      length += chunk.length;
      // Leaving the loop closes the connection.
      if (length > maxBytes) {
        throw new GatewayError(
          "result_too_large",
          `Cannot read the answer of upstream ${url.host}: it is longer than ${maxBytes} bytes`,
          { brief: `Cannot read the answer of the server: it is longer than ${maxBytes} bytes` },
        );
      }
      account.set(length);
      chunks.push(chunk);
    }
  } finally {
    account.close();
  }
  return decode(new TextDecoder("utf-8", { fatal: true }), Buffer.concat(chunks), url);
}

/** What reads a stream of events. */
export interface StreamListener {
  /** Gets each event with data; true once the stream has done what it was for. */
  readonly event: (event: ServerSentEvent) => boolean;
  readonly clock: Clock;
  readonly held: HeldBytes;
}

/**
 * Reads a stream of events to its end, whoever makes it.
 *
 * @throws {GatewayError} `result_too_large` for an event beyond the bound, or `server_failed` when it
 * is no UTF-8; whatever `event` throws.
 */
export async function readEvents(
  answer: HttpAnswer,
  { event, clock, held }: StreamListener,
): Promise<StreamEnd> {
  const reader = new EventStreamReader(MAX_MESSAGE_LENGTH);
  const decoder = new TextDecoder("utf-8", { fatal: true });
  const chunks = answer.body[Symbol.asyncIterator]();
  const account = held.open();
  let cancelClosing: (() => void) | undefined;
  let broken: unknown;
  try {
    for (;;) {
      const next = await nextOf(chunks);
      if (next.broken !== undefined) broken = next.broken;
      if (next.chunk === undefined) break;
      if (cancelClosing !== undefined) continue;
      for (const each of reader.read(decode(decoder, next.chunk, answer.url, true))) {
        if (!event(each)) continue;
        // Its server is about to end it, and then the connection can be used again.
        cancelClosing = clock.after(CLOSING_MS, () => answer.close());
        break;
      }
      account.set(cancelClosing === undefined ? reader.pending : 0);
    }
  } finally {
    cancelClosing?.();
    account.close();
    answer.close();
  }
  const { lastEventId, retryMs } = reader;
  return { lastEventId, retryMs, broken, done: cancelClosing !== undefined };
}

/** The next piece of a body; none at its end, `broken` when that was not a proper one. */
async function nextOf(
  chunks: AsyncIterator<Uint8Array>,
): Promise<{ readonly chunk?: Uint8Array; readonly broken?: unknown }> {
  try {
    const next = await chunks.next();
    return next.done === true ? {} : { chunk: next.value };
  } catch (error) {
    return { broken: error };
  }
}

function decode(decoder: TextDecoder, bytes: Uint8Array, url: URL, stream = false): string {
  try {
    return decoder.decode(bytes, { stream });
  } catch (cause) {
    // The one error of a fatal decoder: these bytes are not UTF-8.
    throw new GatewayError(
      "server_failed",
      `Cannot read the answer of upstream ${url.host}: it is not UTF-8`,
      {
        executed: "unknown",
        cause,
        brief: "Cannot read the answer of the server: it is not UTF-8",
      },
    );
  }
}
