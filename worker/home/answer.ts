/**
 * The HTTP response of one request that a runner answers. A quick answer is plain JSON; one that is
 * preceded by notifications, or takes longer than QUICK_MS, becomes an SSE stream, because only a
 * stream that the client closes tells every runtime that the client has left.
 *
 * @module
 */
import type { Reply } from "../../src/call.ts";
import type { Clock } from "../../src/clock.ts";
import { EventStream, SSE_HEADERS } from "./event-stream.ts";

/** Milliseconds within which an answer stays plain JSON. */
export const QUICK_MS = 750;

/** The status of requests whose client is gone; no standard has one, nginx's is the best known. */
export const CLIENT_LEFT = 499;

/** Headers of a response with a JSON body. */
export const JSON_HEADERS = { "content-type": "application/json", "cache-control": "no-store" };

/** What shapes the answer. */
export interface AnswerOptions {
  /** JSON text of the client's request id. */
  readonly id: string;
  /** Whether the client accepts `text/event-stream`. */
  readonly stream: boolean;
  readonly clock: Clock;
  /** Called once if the client leaves before the answer is complete. */
  readonly left: () => void;
  /** Aborts when the client leaves, on the runtimes that know. */
  readonly signal: AbortSignal;
}

/** An answer under way: what the runner says goes into `reply`, what the client gets is `response`. */
export interface Answer {
  readonly reply: Reply;
  readonly response: Promise<Response>;
  /** Forgets the answer, which nobody is to get. */
  readonly abandon: () => void;
}

/** A JSON-RPC message with a raw result as HTTP response. */
export function resultResponse(
  id: string,
  result: string,
  headers: Readonly<Record<string, string>> = {},
): Response {
  return jsonResponse(`{"jsonrpc":"2.0","id":${id},"result":${result}}`, headers);
}

/** A JSON-RPC error, given as the raw text of its error object, as HTTP response; without a known id, without one. */
export function errorResponse(id: string | undefined, error: string, status = 200): Response {
  const echoed = id === undefined ? "" : `"id":${id},`;
  return new Response(`{"jsonrpc":"2.0",${echoed}"error":${error}}`, {
    status,
    headers: JSON_HEADERS,
  });
}

function jsonResponse(body: string, headers: Readonly<Record<string, string>>): Response {
  return new Response(body, { headers: { ...JSON_HEADERS, ...headers } });
}

/** Starts an answer that is not there yet. */
export function startAnswer(options: AnswerOptions): Answer {
  const { id, clock, signal } = options;
  let settle: (response: Response) => void = () => {};
  const response = new Promise<Response>((resolve) => settle = resolve);
  let stream: EventStream | undefined;
  let ended = false;

  const leave = (): void => {
    if (!end()) return;
    // Nobody reads it, but whoever serves the request waits for some response.
    settle(new Response(null, { status: CLIENT_LEFT }));
    options.left();
  };
  const openStream = (): EventStream => {
    stream = new EventStream(clock, leave);
    settle(new Response(stream.body, { headers: SSE_HEADERS }));
    return stream;
  };
  const cancelWait = options.stream
    ? clock.after(QUICK_MS, () => {
      if (!ended && stream === undefined) openStream();
    })
    : () => {};
  signal.addEventListener("abort", leave);

  function end(): boolean {
    if (ended) return false;
    ended = true;
    cancelWait();
    signal.removeEventListener("abort", leave);
    return true;
  }

  function finish(message: string, status = 200): void {
    if (!end()) return;
    if (stream === undefined) settle(new Response(message, { status, headers: JSON_HEADERS }));
    else stream.finish(message);
  }

  return {
    response,
    abandon: () => {
      if (end()) stream?.close();
    },
    reply: {
      accepted: () => {},
      note: (notification) => {
        if (!ended && options.stream) (stream ?? openStream()).note(notification);
      },
      result: (result) => finish(`{"jsonrpc":"2.0","id":${id},"result":${result}}`),
      error: (error, status) => finish(`{"jsonrpc":"2.0","id":${id},"error":${error}}`, status),
    },
  };
}
