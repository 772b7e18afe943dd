/**
 * HTTP+SSE (MCP 2024-11-05 basic/transports): one stream brings everything, and its first event says
 * where to POST. Opened by session.ts when an upstream knows nothing newer.
 *
 * @module
 */
import { type ErrorCode, GatewayError } from "../../src/errors.ts";
import { isEventStream, readEvents } from "./answer.ts";
import type { UpstreamContext } from "./context.ts";
import type { ServerSentEvent } from "./event-stream.ts";
import type { HttpAnswer } from "./http-client.ts";

/** How long the stream and its first event may take, in milliseconds. */
const ENDPOINT_TIMEOUT_MS = 10_000;

/** Failures that say more than that the transport is another one. */
const TOLD: readonly ErrorCode[] = ["server_failed", "login_required", "address_refused"];

/**
 * Opens the stream. It is the session: when it ends, so does that.
 *
 * @returns Where to POST; undefined when the upstream does not speak HTTP+SSE.
 * @throws {GatewayError} `server_failed` when it names an endpoint that is not used.
 */
export async function openEventStream(context: UpstreamContext): Promise<URL | undefined> {
  const { http, clock, signal } = context;
  const abort = new AbortController();
  const stop = (): void => abort.abort();
  signal.addEventListener("abort", stop, { once: true });
  const cancelTimeout = clock.after(ENDPOINT_TIMEOUT_MS, stop);
  let opened = false;
  try {
    const answer = await http.send({
      method: "GET",
      headers: { accept: "text/event-stream" },
      signal: abort.signal,
    });
    const endpoint = answer.status === 200 && isEventStream(answer)
      ? await readEndpoint(answer, context)
      : undefined;
    opened = endpoint !== undefined;
    return endpoint;
  } catch (error) {
    if (error instanceof GatewayError && TOLD.includes(error.code)) throw error;
    // Neither transport works, and the error of the first is the one to tell.
    return undefined;
  } finally {
    cancelTimeout();
    if (!opened) {
      signal.removeEventListener("abort", stop);
      stop();
    }
  }
}

/** The endpoint that the first event names; what comes after it goes to the traffic. */
function readEndpoint(
  answer: HttpAnswer,
  { clock, held, traffic, http, signal, ended }: UpstreamContext,
): Promise<URL | undefined> {
  return new Promise((resolve, reject) => {
    let endpoint: URL | undefined;
    const event = ({ type, data }: ServerSentEvent): boolean => {
      if (endpoint !== undefined) {
        if (type === "message") traffic.deliver(data);
        return false;
      }
      endpoint = type === "endpoint" && URL.canParse(data, answer.url.href)
        ? new URL(data, answer.url)
        : undefined;
      if (endpoint === undefined) resolve(undefined);
      else if (endpoint.origin === http.url.origin) resolve(endpoint);
      else {
        reject(http.failure("it names an endpoint at another origin, which is not used"));
        endpoint = undefined;
      }
      return endpoint === undefined;
    };
    readEvents(answer, { clock, held, event })
      .then(({ broken }) => {
        if (endpoint !== undefined && !signal.aborted) {
          traffic.stderr.push(`the event stream ${broken === undefined ? "ended" : "broke"}`);
        }
      }, (error: unknown) => {
        traffic.stderr.push(error instanceof Error ? error.message : String(error));
      })
      .finally(() => {
        resolve(undefined);
        if (endpoint !== undefined) ended();
      });
  });
}
