/**
 * A server-sent event stream (WHATWG HTML §9.2) of JSON-RPC messages: the body of an answer that takes
 * long, or of a stream that a client listens to. answer.ts and session-stream.ts decide when there is
 * one.
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

/** The first text of a stream without event ids: it makes every proxy pass on the headers. */
const OPEN = ": open\n\n";

/**
 * The first event of a stream that can be taken up again: its id and no data, so that a client knows
 * where it was before any message came (MCP 2025-11-25 basic/transports "Sending Messages").
 *
 * @param retryMs Milliseconds after which the client may come again.
 */
export function primingEvent(id: string, retryMs: number): string {
  return `id: ${id}\nretry: ${retryMs}\ndata: \n\n`;
}

/** One stream, open from the start. */
export class EventStream {
  readonly body: ReadableStream<Uint8Array>;
  readonly #encoder = new TextEncoder();
  readonly #clock: Clock;
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  #cancelKeepAlive: () => void = () => {};
  #ended: () => void = () => {};

  /**
   * @param left Called once if the client closes the stream before `finish` or `close`.
   * @param first The text that it begins with.
   */
  constructor(clock: Clock, left: () => void, first: string = OPEN) {
    this.#clock = clock;
    const source: UnderlyingDefaultSource<Uint8Array> = {
      start: (controller) => {
        this.#controller = controller;
      },
      cancel: () => {
        this.#end();
        left();
      },
    };
    const strategy = {
      highWaterMark: MAX_WAITING_BYTES,
      size: (chunk?: Uint8Array) => chunk?.length ?? 0,
    };
    this.body = new ReadableStream(source, strategy);
    this.#write(first);
    this.#keepAlive();
  }

  /** Sends a notification, unless the client reads so slowly that it would only fill the memory. */
  note(message: string, id?: string): void {
    if ((this.#controller?.desiredSize ?? 0) > 0) this.send(message, id);
  }

  /** Sends a message, under an event id if it has one, however slowly the client reads. */
  send(message: string, id?: string): void {
    // A line break inside the JSON text would end the field: each line becomes a field of its own.
    const data = /[\r\n]/.test(message) ? message.split(/\r\n|\r|\n/).join("\ndata: ") : message;
    const mark = id === undefined ? "" : `id: ${id}\n`;
    this.#write(`event: message\n${mark}data: ${data}\n\n`);
  }

  /** Sends the last message. */
  finish(message: string, id?: string): void {
    this.send(message, id);
    this.close();
  }

  /** Ends the stream; what was sent before still arrives. */
  close(): void {
    const controller = this.#controller;
    this.#end();
    controller?.close();
  }

  /** Has `ended` called once when the stream ends, whoever ends it; at once if it has. */
  whenEnded(ended: () => void): void {
    const before = this.#ended;
    if (this.#controller === undefined) ended();
    else {this.#ended = () => {
        before();
        ended();
      };}
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

  #end(): void {
    this.#controller = undefined;
    this.#cancelKeepAlive();
    const ended = this.#ended;
    this.#ended = () => {};
    ended();
  }
}
