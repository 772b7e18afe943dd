import { type Backoff, nextWaitMs } from "../../src/backoff.ts";
import type { Clock } from "../../src/clock.ts";
import { GatewayError } from "../../src/errors.ts";
import { isEventStream, readEvents, type StreamEnd, type StreamListener } from "./answer.ts";
import type { HeldBytes } from "./held-bytes.ts";
import type { HttpAnswer, HttpClient } from "./http-client.ts";
import type { HeaderFields } from "./mirror.ts";

/** Wait before the next GET when the upstream names none, in milliseconds. */
const PAUSE_MS = 1_000;

/** Least wait, whatever the upstream names, in milliseconds. */
const MIN_PAUSE_MS = 100;

/** What is added to the wait after failures. */
const BACKOFF: Backoff = { firstMs: 1_000, maxMs: 60_000 };

/** A stream to be followed. */
export interface Following {
  readonly http: HttpClient;
  readonly clock: Clock;
  readonly held: HeldBytes;
  readonly headers: HeaderFields;
  /** Where another stream was left that this goes on with; undefined for a new one. */
  readonly from?: StreamEnd;
  /** Gets each event with data; true once the stream has done what it was for. */
  readonly event: StreamListener["event"];
  /** Failures in a row after which it is given up. */
  readonly maxFailures: number;
  readonly signal: AbortSignal;
}

/**
 * Reads a stream that the upstream gives for a GET, and goes on where it ended, until `event` says
 * that it has done what it was for, or `signal` aborts (MCP 2025-11-25 basic/transports
 * "Resumability and Redelivery").
 *
 * @returns The answer with which the upstream refuses the stream, its body unread; else undefined.
 * @throws What has made the last attempt fail, after `maxFailures`.
 */
export async function follow(
  { http, clock, held, headers, from, event, maxFailures, signal }: Following,
): Promise<HttpAnswer | undefined> {
  let { lastEventId, retryMs } = from ?? {};
  let failures = 0;
  for (let first = from === undefined; !signal.aborted; first = false) {
    if (!first) await pause(clock, waitMs(retryMs, failures), signal);
    if (signal.aborted) break;
    try {
      const answer = await http.send({
        method: "GET",
        headers: {
          ...headers,
          accept: "text/event-stream",
          ...(lastEventId !== undefined && { "last-event-id": lastEventId }),
        },
        signal,
      });
      if (answer.status >= 500 && answer.status !== 501) {
        await answer.drop();
        throw http.lost(`it answered with HTTP ${answer.status}`);
      }
      if (answer.status !== 200 || !isEventStream(answer)) return answer;
      const end = await readEvents(answer, {
        clock,
        held,
        event: (each) => {
          failures = 0;
          return event(each);
        },
      });
      if (end.done) break;
      lastEventId = end.lastEventId ?? lastEventId;
      retryMs = end.retryMs ?? retryMs;
      if (end.broken !== undefined) throw http.lost("the connection broke", end.broken);
    } catch (error) {
      if (signal.aborted) break;
      // Asked again, it would send the same again.
      const tooLarge = error instanceof GatewayError && error.code === "result_too_large";
      if (tooLarge || ++failures > maxFailures) throw error;
    }
  }
  return undefined;
}

function waitMs(retryMs: number | undefined, failures: number): number {
  const wait = retryMs === undefined ? PAUSE_MS : Math.max(retryMs, MIN_PAUSE_MS);
  return failures === 0 ? wait : wait + nextWaitMs(BACKOFF, failures);
}

/** Resolves after `ms` milliseconds, or as soon as `signal` aborts. */
function pause(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const cancel = clock.after(ms, () => {
      signal.removeEventListener("abort", stop);
      resolve();
    });
    const stop = (): void => {
      cancel();
      resolve();
    };
    signal.addEventListener("abort", stop, { once: true });
  });
}
