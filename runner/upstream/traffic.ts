import { GatewayError, toGatewayError } from "../../src/errors.ts";
import { rawMember, readString } from "../../src/mcp/scan.ts";
import { Outlet } from "../docker/outlet.ts";
import type { HttpClient } from "./http-client.ts";
import { answeredId, messagesOf, type OutgoingLine, outlineOf } from "./line.ts";
import { errorText } from "./refusal.ts";

/** Requests that an upstream gets at a time: as many calls as a runner takes. */
const MAX_REQUESTS = 256;

/** Failures of ours that are known again by their text. */
const MAX_FAILURES = 16;

/** A request on its way. */
export interface Flight {
  readonly line: OutgoingLine;
  /** Ends its HTTP exchange. */
  readonly abort: AbortController;
  /** Gets the line that answers it, before it is handed on. */
  readonly answered: ((line: string) => void) | undefined;
  /** Whether it has ended: answered, failed, or withdrawn. */
  over: boolean;
}

/** The requests in flight to one upstream, and what comes back from it, as lines. */
export class Traffic {
  readonly lines = new Outlet<string>();
  readonly garbage = new Outlet<number>();
  readonly stderr = new Outlet<string>();
  readonly #flights = new Map<string, Flight>();
  readonly #http: HttpClient;
  readonly #failures: { readonly text: string; readonly error: GatewayError }[] = [];

  constructor(http: HttpClient) {
    this.#http = http;
  }

  /**
   * Begins a request.
   *
   * @param answered Gets the line that answers it, before it is handed on.
   * @throws {GatewayError} `overloaded` when there are too many.
   */
  open(line: OutgoingLine, answered?: Flight["answered"]): Flight {
    if (this.#flights.size >= MAX_REQUESTS) {
      throw new GatewayError(
        "overloaded",
        `Cannot write to the server: ${MAX_REQUESTS} requests wait for it`,
      );
    }
    const flight = { line, abort: new AbortController(), answered, over: false };
    this.#flights.set(keyOf(line.id), flight);
    return flight;
  }

  /** The request in flight with the id whose JSON text this is. */
  find(id: string): Flight | undefined {
    return this.#flights.get(keyOf(id));
  }

  /** Hands on a message that came, or a batch of them. What is no JSON is for the reader to count. */
  deliver(text: string): void {
    for (const line of messagesOf(text)) {
      const outline = outlineOf(line, 1);
      const id = outline === undefined ? undefined : answeredId(line, outline);
      const flight = id === undefined ? undefined : this.find(id);
      const error = outline && rawMember(line, outline, "error");
      if (flight !== undefined && error !== undefined && this.#http.leaks(error)) {
        const what = "its error repeats a credential, and is not passed on";
        this.fail(flight, this.#http.failure(what, "unknown"));
        continue;
      }
      if (flight !== undefined) this.#end(flight);
      flight?.answered?.(line);
      this.lines.push(line);
    }
  }

  /** Answers a request with an error: JSON text of one, or whatever was thrown. Once it has ended, nothing. */
  fail(flight: Flight, error: unknown): void {
    if (flight.over) return;
    this.#end(flight);
    const text = typeof error === "string" ? error : this.#ownText(toGatewayError(error));
    this.lines.push(`{"jsonrpc":"2.0","id":${flight.line.id},"error":${text}}`);
  }

  /** The failure that this JSON text of an error was made of, if it is one of the last; else undefined. */
  failureOf(text: string): GatewayError | undefined {
    return this.#failures.find((failure) => failure.text === text)?.error;
  }

  /** Ends a request that nobody waits for any more, and its HTTP exchange. */
  withdraw(flight: Flight): void {
    this.#end(flight);
    flight.abort.abort();
  }

  /** Ends everything that is in flight, without a word. */
  close(): void {
    for (const flight of this.#flights.values()) this.withdraw(flight);
  }

  #ownText(error: GatewayError): string {
    const text = errorText(error);
    this.#failures.unshift({ text, error });
    this.#failures.length = Math.min(this.#failures.length, MAX_FAILURES);
    return text;
  }

  #end(flight: Flight): void {
    flight.over = true;
    this.#flights.delete(keyOf(flight.line.id));
  }
}

/** What tells ids apart: `1` and `1.0` are the same, `1` and `"1"` are not. */
function keyOf(id: string): string {
  return id.startsWith('"') ? `string ${readString(id)}` : `number ${Number(id)}`;
}
