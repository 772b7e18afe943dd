/**
 * A server-sent event stream (WHATWG HTML §9.2) of JSON-RPC messages: the body of an answer that takes
 * long. answer.ts decides when there is one.
 *
 * @module
 */
import type { Clock } from "../../src/clock.ts";

/**
 * Milliseconds between two comments on a silent stream. Proxies cut idle ones only from 60 s on, but
 * workerd notices that a client has left no sooner than at the next write (measured on 2026-10-23).
 */
const KEEP_ALIVE_MS = 3_000;

/** Bytes that may wait for a slow client, beside one message, before notifications are dropped. */
const MAX_WAITING_BYTES = 1024 * 1024;

/** Headers of a response with such a body. */
export const SSE_HEADERS = {
  "content-type": "text/event-stream",
  "cache-control": "no-store",
  "x-accel-buffering": "no",
};

/** One stream, open from the start. */
export class EventStream {
  readonly body: ReadableStream<Uint8Array>;
  readonly #encoder = new TextEncoder();
  readonly #clock: Clock;
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  #cancelKeepAlive: () => void = () => {};

  /** @param left Called once if the client closes the stream before `finish`. */
  constructor(clock: Clock, left: () => void) {
    this.#clock = clock;
    const source: UnderlyingDefaultSource<Uint8Array> = {
      start: (controller) => {
        this.#controller = controller;
      },
      cancel: () => {
        this.#close();
        left();
      },
    };
    const strategy = {
      highWaterMark: MAX_WAITING_BYTES,
      size: (chunk?: Uint8Array) => chunk?.length ?? 0,
    };
    this.body = new ReadableStream(source, strategy);
    this.#write(": open\n\n");
    this.#keepAlive();
  }

  /** Sends a notification, unless the client reads so slowly that it would only fill the memory. */
  note(message: string): void {
    if ((this.#controller?.desiredSize ?? 0) > 0) this.#send(message);
  }

  /** Sends the last message. */
  finish(message: string): void {
    this.#send(message);
    const controller = this.#controller;
    this.#close();
    controller?.close();
  }

  #send(message: string): void {
    // A line break inside the JSON text would end the field: each line becomes a field of its own.
    const data = /[\r\n]/.test(message) ? message.split(/\r\n|\r|\n/).join("\ndata: ") : message;
    this.#write(`event: message\ndata: ${data}\n\n`);
  }

  #write(text: string): void {
    this.#controller?.enqueue(this.#encoder.encode(text));
  }

  #keepAlive(): void {
    this.#cancelKeepAlive = this.#clock.after(KEEP_ALIVE_MS, () => {
      this.#write(": still here\n\n");
      this.#keepAlive();
    });
  }

  #close(): void {
    this.#controller = undefined;
    this.#cancelKeepAlive();
  }
}
