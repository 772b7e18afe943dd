/**
 * The HTTP client of every subject that speaks HTTP: kept-alive connections, bodies that are ready,
 * and as little work as an answer needs, so that what is measured is the other end.
 *
 * @module
 */
import { type Dispatcher, Pool } from "undici";
import { answerOf } from "./event-stream.ts";

/** Milliseconds without a byte after which a request fails. */
const SILENCE_MS = 30_000;

/** What came back. */
export interface HttpAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** The body; of an event stream, the JSON-RPC response in it. */
  readonly text: string;
}

/** A client of one URL. */
export class HttpClient implements AsyncDisposable {
  readonly #pool: Pool;
  readonly #path: string;

  constructor(url: string) {
    const { origin, pathname } = new URL(url);
    this.#path = pathname;
    this.#pool = new Pool(origin, {
      pipelining: 1,
      headersTimeout: SILENCE_MS,
      bodyTimeout: SILENCE_MS,
    });
  }

  /** Sends a request, and resolves as soon as its answer is there, which may precede its end. */
  send(
    method: "GET" | "POST" | "DELETE",
    headers: Readonly<Record<string, string>>,
    body: string | null = null,
  ): Promise<HttpAnswer> {
    return new Promise((resolve, reject) => {
      const path = this.#path;
      this.#pool.dispatch({ path, method, headers, body }, new Exchange(resolve, reject));
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#pool.destroy();
  }
}

/** Reads one response. All the texts here are ASCII: no character is torn between two chunks. */
class Exchange implements Dispatcher.DispatchHandler {
  readonly #resolve: (answer: HttpAnswer) => void;
  readonly #reject: (error: Error) => void;
  #status = 0;
  #headers: HttpAnswer["headers"] = {};
  #stream = false;
  #text = "";

  constructor(resolve: (answer: HttpAnswer) => void, reject: (error: Error) => void) {
    this.#resolve = resolve;
    this.#reject = reject;
  }

  onRequestStart(): void {
    // undici takes an object for a handler of this kind only if it has this method.
  }

  onResponseStart(
    _: Dispatcher.DispatchController,
    status: number,
    headers: HttpAnswer["headers"],
  ): void {
    this.#status = status;
    this.#headers = headers;
    this.#stream = String(headers["content-type"]).startsWith("text/event-stream");
  }

  onResponseData(_: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#text += chunk.toString("latin1");
    if (!this.#stream) return;
    const answer = answerOf(this.#text);
    if (answer !== undefined) this.#settle(answer);
  }

  onResponseEnd(): void {
    this.#settle(this.#text);
  }

  onResponseError(_: Dispatcher.DispatchController, error: Error): void {
    this.#reject(error);
  }

  #settle(text: string): void {
    this.#resolve({ status: this.#status, headers: this.#headers, text });
  }
}
