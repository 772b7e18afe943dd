/**
 * Reads server-sent events (WHATWG HTML §9.2.6 "Interpreting an event stream") within a bound on
 * memory. Called by answer.ts with the text of a body, torn anywhere.
 *
 * @module
 */
import { GatewayError } from "../../src/errors.ts";

/** One event. */
export interface ServerSentEvent {
  /** `message` unless the server named another. */
  readonly type: string;
  /** Its data lines, joined by line feeds. */
  readonly data: string;
}

/** Longest wait that a server may ask for before it is asked again, in milliseconds: an hour. */
const MAX_RETRY_MS = 3_600_000;

/** Longest event id, in UTF-16 code units: it goes back in a header. */
const MAX_ID_LENGTH = 1_024;

/** Events of one stream. */
export class EventStreamReader {
  /** Id of the last event that had one, to go on behind it; undefined without. */
  lastEventId: string | undefined;
  /** How long the server wants us to wait before we come again, in milliseconds. */
  retryMs: number | undefined;
  readonly #maxLength: number;
  #line = "";
  #afterCarriageReturn = false;
  #type = "";
  #id: string | undefined;
  #data: string[] = [];
  #length = 0;

  /** @param maxLength Longest event, in UTF-16 code units. */
  constructor(maxLength: number) {
    this.#maxLength = maxLength;
  }

  /** How much is kept of an event that is not complete, in UTF-16 code units. */
  get pending(): number {
    return this.#length;
  }

  /**
   * Takes the next text and gives the events that it completes, one at a time: what follows an event
   * is not looked at before the next is asked for.
   *
   * @throws {GatewayError} `result_too_large` for an event beyond the bound.
   */
  *read(text: string): Generator<ServerSentEvent> {
    let start = this.#afterCarriageReturn && text.startsWith("\n") ? 1 : 0;
    if (text !== "") this.#afterCarriageReturn = false;
    const end = /\r\n|\n|\r/g;
    for (end.lastIndex = start;;) {
      const found = end.exec(text);
      this.#count((found?.index ?? text.length) - start);
      if (found === null) break;
      const line = this.#line + text.slice(start, found.index);
      this.#line = "";
      start = end.lastIndex;
      this.#afterCarriageReturn = found[0] === "\r" && start === text.length;
      const event = this.#take(line);
      if (event !== undefined) yield event;
    }
    this.#line += text.slice(start);
  }

  #count(added: number): void {
    this.#length += added;
    if (this.#length > this.#maxLength) {
      throw new GatewayError(
        "result_too_large",
        `Cannot read the answer: an event is longer than ${this.#maxLength} characters`,
      );
    }
  }

  #take(line: string): ServerSentEvent | undefined {
    if (line === "") return this.#dispatch();
    const colon = line.indexOf(":");
    const field = colon === -1 ? line : line.slice(0, colon);
    // One space after the colon is not part of the value.
    const value = colon === -1 ? "" : line.slice(line[colon + 1] === " " ? colon + 2 : colon + 1);
    switch (field) {
      case "data":
        this.#data.push(value);
        return undefined;
      case "event":
        this.#type = value;
        break;
      case "id":
        // An id that fits no header is as good as none; an empty one takes back the last.
        if (/^[\x20-\x7e]*$/.test(value) && value.length <= MAX_ID_LENGTH) this.#id = value;
        break;
      case "retry":
        if (/^\d{1,10}$/.test(value)) this.retryMs = Math.min(Number(value), MAX_RETRY_MS);
        break;
    }
    // Comments keep a stream alive for hours: only data may add up.
    if (this.#data.length === 0) this.#length = 0;
    return undefined;
  }

  #dispatch(): ServerSentEvent | undefined {
    if (this.#id !== undefined) this.lastEventId = this.#id === "" ? undefined : this.#id;
    const event = this.#data.length === 0
      ? undefined
      : { type: this.#type === "" ? "message" : this.#type, data: this.#data.join("\n") };
    this.#type = "";
    this.#id = undefined;
    this.#data = [];
    this.#length = 0;
    return event;
  }
}
