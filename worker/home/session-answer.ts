/**
 * The HTTP response to the requests of one POST in a session: usually one, several in a batch. What is
 * answered quickly and alone is plain JSON. A notification, a question to the client, or the passing of
 * QUICK_MS makes it a stream of the session, which the client may leave and take up again: in these
 * revisions, leaving cancels nothing (MCP 2025-11-25 basic/transports "Sending Messages").
 *
 * The stream is never closed before the last response, though 2025-11-25 lets a server do that and have
 * its client poll: not every client of that revision comes again, and one that does not would lose the
 * result. Whoever wants to leave may, and comes back by the event id that it was given first.
 *
 * @module
 */
import type { Clock } from "../../src/clock.ts";
import { CLIENT_LEFT, JSON_HEADERS, QUICK_MS } from "./answer.ts";
import { SSE_HEADERS } from "./event-stream.ts";
import type { Outlet } from "./legacy-call.ts";
import type { SessionStream } from "./session-stream.ts";
import type { SessionStreams } from "./session-streams.ts";

/** What shapes the answer. */
export interface SessionAnswerOptions {
  readonly clock: Clock;
  readonly streams: SessionStreams;
  /** Whether the client accepts `text/event-stream`. */
  readonly stream: boolean;
  /** Aborts when the client leaves, on the runtimes that know. */
  readonly signal: AbortSignal;
  /** How many responses there will be. */
  readonly requests: number;
  /** Whether JSON responses go into an array. */
  readonly batch: boolean;
}

/** An answer under way: calls write into it, what the client gets is `response`. */
export class SessionAnswer implements Outlet {
  readonly response: Promise<Response>;
  readonly #options: SessionAnswerOptions;
  readonly #settle: (response: Response) => void;
  readonly #stopWaiting: () => void;
  /** Responses that wait for the others, until there is a stream. */
  readonly #done: string[] = [];
  #missing: number;
  #stream: SessionStream | undefined;
  /** The client left before there was a stream: it knows no event id, so nothing can reach it here. */
  #left = false;

  constructor(options: SessionAnswerOptions) {
    const { clock, signal, requests, stream } = options;
    this.#options = options;
    this.#missing = requests;
    const { promise, resolve } = Promise.withResolvers<Response>();
    this.response = promise;
    this.#settle = resolve;
    this.#stopWaiting = stream ? clock.after(QUICK_MS, () => void this.#open()) : () => {};
    signal.addEventListener("abort", this.#leave);
  }

  /** Sends a notification to a client that takes streams. */
  note(message: string): void {
    this.#open()?.note(message);
  }

  /** Sends a request to the client, on the stream of a GET if there can be none here. */
  ask(message: string): boolean {
    const { standalone } = this.#options.streams;
    const stream = this.#open() ?? (standalone.readers > 0 ? standalone : undefined);
    stream?.send(message);
    return stream !== undefined;
  }

  /** Takes the response to one of the requests. */
  answer(message: string): void {
    const last = --this.#missing === 0;
    if (this.#stream === undefined) {
      this.#done.push(message);
      if (last) this.#finish();
    } else if (last) this.#stream.finish(message);
    else this.#stream.send(message);
  }

  readonly #leave = (): void => {
    if (this.#stream !== undefined || this.#left) return;
    this.#left = true;
    this.#stopWaiting();
    // Nobody reads it, but whoever serves the request waits for some response.
    this.#settle(new Response(null, { status: CLIENT_LEFT }));
  };

  /** The stream, opened if it can be and is not yet. */
  #open(): SessionStream | undefined {
    const { stream: accepted, streams, signal } = this.#options;
    if (this.#stream !== undefined || !accepted || this.#left) return this.#stream;
    this.#stopWaiting();
    signal.removeEventListener("abort", this.#leave);
    const stream = streams.open();
    this.#stream = stream;
    this.#settle(new Response(stream.connect()?.body, { headers: SSE_HEADERS }));
    for (const message of this.#done.splice(0)) stream.send(message);
    return stream;
  }

  #finish(): void {
    this.#stopWaiting();
    this.#options.signal.removeEventListener("abort", this.#leave);
    const body = this.#options.batch ? `[${this.#done.join(",")}]` : this.#done.join("");
    this.#settle(new Response(body, { headers: JSON_HEADERS }));
  }
}
