import { GatewayError } from "../../src/errors.ts";
import { printable } from "../../src/log.ts";
import {
  isEventStream,
  MAX_MESSAGE_LENGTH,
  readEvents,
  readText,
  type StreamEnd,
} from "./answer.ts";
import type { UpstreamContext } from "./context.ts";
import type { HttpAnswer } from "./http-client.ts";
import type { OutgoingLine } from "./line.ts";
import type { HeaderFields } from "./mirror.ts";
import { readRefusal, type Refusal } from "./refusal.ts";
import type { Flight } from "./traffic.ts";

/** What every POST says of its body and its answer. */
export const POST_HEADERS: HeaderFields = {
  "content-type": "application/json",
  accept: "application/json, text/event-stream",
};

/** Milliseconds for a message that has no answer to be taken: those behind it wait, and a call to be let go of. */
export const TELL_MS = 10_000;

/** Characters of an upstream's media type that a message of ours quotes. */
const MAX_QUOTE_LENGTH = 80;

/** Where and how a message goes. */
export interface Posting {
  /** The URL of the config unless given. */
  readonly url?: URL;
  readonly headers: HeaderFields;
}

/** Whether an answer says that all went well. */
export function isSuccess({ status }: HttpAnswer): boolean {
  return status >= 200 && status <= 299;
}

/**
 * Hands on what a successful answer to a request holds.
 *
 * @returns Where it was left if it was a stream that ended before the result; undefined when the
 * request has ended, one way or the other.
 * @throws {GatewayError} when it cannot be read.
 */
export async function carry(
  { http, traffic, clock, held }: UpstreamContext,
  flight: Flight,
  answer: HttpAnswer,
): Promise<StreamEnd | undefined> {
  if (isEventStream(answer)) {
    const end = await readEvents(answer, {
      clock,
      held,
      event: ({ type, data }) => {
        if (type === "message") traffic.deliver(data);
        return flight.over;
      },
    });
    return flight.over ? undefined : end;
  }
  let text: string;
  try {
    text = await readText(answer, { maxBytes: MAX_MESSAGE_LENGTH, held });
  } catch (error) {
    // Its code says more than that the connection broke, if it has one of ours.
    throw error instanceof GatewayError
      ? error
      : http.lost("the connection broke during its answer", error);
  }
  if (/[/+]json$/.test(answer.mediaType)) traffic.deliver(text);
  else traffic.garbage.push(text.length);
  if (flight.over) return undefined;
  const type = printable(answer.mediaType).slice(0, MAX_QUOTE_LENGTH) || "none";
  traffic.fail(
    flight,
    http.failure(
      `it answered with no JSON-RPC response (HTTP ${answer.status}, media type ${type}), ` +
        "check the URL",
      "unknown",
    ),
  );
  return undefined;
}

/**
 * Sends a message that has no answer. What goes wrong is for the operator: nobody waits.
 *
 * @returns The refusal if there was one.
 */
export async function tell(
  { http, traffic, clock, signal }: UpstreamContext,
  { text, method }: OutgoingLine,
  posting: Posting,
): Promise<Refusal | undefined> {
  const what = method === "" ? "an answer" : method;
  const late = new AbortController();
  const cancelTimeout = clock.after(TELL_MS, () => late.abort());
  const either = AbortSignal.any([signal, late.signal]);
  try {
    const answer = await http.send({ method: "POST", body: text, signal: either, ...posting });
    if (isSuccess(answer)) {
      await answer.drop();
      return undefined;
    }
    const refusal = await readRefusal(answer, http);
    traffic.stderr.push(`${http.url.host} refused ${what}: HTTP ${answer.status}`);
    return refusal;
  } catch (error) {
    if (!signal.aborted) {
      const why = error instanceof Error ? error.message : String(error);
      const reason = late.signal.aborted ? "it was not answered in time" : why;
      traffic.stderr.push(`${what} was not delivered: ${reason}`);
    }
    return undefined;
  } finally {
    cancelTimeout();
  }
}
