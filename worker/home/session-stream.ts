/**
 * One stream of a session as its client knows it: of a call, or the one that a GET opens. Connections
 * come and go; a client that names the last event it saw gets the rest on its next one (MCP 2025-11-25
 * basic/transports "Resumability and Redelivery"). That a client leaves therefore ends nothing.
 *
 * @module
 */
import { toBase64Url } from "../../src/base64url.ts";
import type { Clock } from "../../src/clock.ts";
import { EventStream, primingEvent } from "./event-stream.ts";
import type { ReplayBuffer } from "./replay-buffer.ts";

/** Milliseconds after which a client whose connection broke may come again. */
const RETRY_MS = 1_000;

/** Parts an event id: the stream's unguessable name before it, the place in the stream after it. */
const SEPARATOR = ".";

/** What makes a stream. */
export interface SessionStreamOptions {
  readonly clock: Clock;
  readonly buffer: ReplayBuffer;
  /** Whether connections begin with a priming event: 2025-11-25 knows them, before they are broken JSON. */
  readonly primed: boolean;
  /** Most connections at a time; the oldest is closed for one more. */
  readonly maxReaders: number;
  /** Called when a connection has ended, whoever ended it. */
  readonly readerEnded?: () => void;
}

/** The name and the place that an event id holds; undefined for no id of ours. */
export function readEventId(id: string): { stream: string; place: number } | undefined {
  const [stream = "", place = "", ...rest] = id.split(SEPARATOR);
  if (!/^\d{1,9}$/.test(place) || rest.length > 0) return undefined;
  return { stream, place: Number(place) };
}

/** A stream that outlives its connections. */
export class SessionStream {
  readonly name = toBase64Url(crypto.getRandomValues(new Uint8Array(15)));
  readonly #options: SessionStreamOptions;
  /** Open connections, the newest last: each message goes to that one alone. */
  readonly #readers: EventStream[] = [];
  /** Place of the last message. */
  #last = 0;
  /** Place of the last message that went out on some connection. */
  #delivered = 0;
  #endedAt: number | undefined;

  constructor(options: SessionStreamOptions) {
    this.#options = options;
  }

  /** Connections that are open. */
  get readers(): number {
    return this.#readers.length;
  }

  /** When the last message was said, ms since epoch; undefined while there may be more. */
  get endedAt(): number | undefined {
    return this.#endedAt;
  }

  /** Says a notification; one who reads too slowly for it gets it only on a next connection. */
  note(message: string): void {
    if (this.#endedAt !== undefined) return;
    const reader = this.#readers.at(-1);
    const id = this.#keep(message);
    reader?.note(message, id);
  }

  /** Says a notification, unless the same one waits already for somebody to read. */
  noteOnce(message: string): void {
    const waiting = this.#options.buffer.after(this.name, this.#delivered);
    if (!waiting.some((kept) => kept.message === message)) this.note(message);
  }

  /** Says what must arrive: a request or a response. */
  send(message: string): void {
    if (this.#endedAt !== undefined) return;
    const reader = this.#readers.at(-1);
    const id = this.#keep(message);
    reader?.send(message, id);
  }

  /** Says the last message. */
  finish(message: string): void {
    this.send(message);
    this.close();
  }

  /** Ends the stream and its connections. */
  close(): void {
    this.#endedAt ??= this.#options.clock.now();
    const readers = [...this.#readers];
    for (const reader of readers) reader.close();
  }

  /**
   * Opens a connection.
   *
   * @param after The place after which the client wants everything; where it is absent, it gets what
   * nobody has got yet.
   * @returns undefined when the stream is over and the client has all of it.
   */
  connect(after: number = this.#delivered): EventStream | undefined {
    const { clock, buffer, primed, maxReaders } = this.#options;
    const missed = buffer.after(this.name, after);
    if (this.#endedAt !== undefined && missed.length === 0) return undefined;
    const first = primed ? primingEvent(this.#idOf(after), RETRY_MS) : undefined;
    // That the client leaves ends the connection, not what it is a connection to.
    const reader = new EventStream(clock, () => {}, first);
    for (const { message, place } of missed) reader.send(message, this.#idOf(place));
    this.#delivered = this.#last;
    if (this.#endedAt !== undefined) {
      reader.close();
      return reader;
    }
    this.#readers.push(reader);
    reader.whenEnded(() => this.#ended(reader));
    if (this.#readers.length > maxReaders) this.#readers[0]?.close();
    return reader;
  }

  #ended(reader: EventStream): void {
    this.#readers.splice(this.#readers.indexOf(reader), 1);
    this.#options.readerEnded?.();
  }

  #keep(message: string): string {
    const place = ++this.#last;
    this.#options.buffer.keep({ stream: this.name, place, message });
    if (this.#readers.length > 0) this.#delivered = place;
    return this.#idOf(place);
  }

  #idOf(place: number): string {
    return this.name + SEPARATOR + place;
  }
}
