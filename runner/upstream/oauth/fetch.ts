/**
 * Requests to authorization servers and for metadata: hosts that somebody else names. Each goes
 * through the dialer of its upstream, is small, quick, carries no header of the config, and follows
 * no redirect.
 *
 * @module
 */
import type { Clock } from "../../../src/clock.ts";
import { GatewayError } from "../../../src/errors.ts";
import { printable } from "../../../src/log.ts";
import type { Dialer } from "../dial.ts";

/** Milliseconds for one answer: a lock is held for less than ten seconds meanwhile. */
const DEADLINE_MS = 8_000;

/** Longest answer, in bytes. */
const MAX_BYTES = 256 * 1024;

/** A request. */
export interface OAuthRequest {
  readonly method: "GET" | "POST";
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | undefined;
}

/** Sends a request and reads its answer to the end. */
export type OAuthFetch = (url: URL, request: OAuthRequest) => Promise<Response>;

/**
 * Makes requests with the connections of `dialer`.
 *
 * @returns A function that throws `GatewayError` `address_refused`, or `server_failed` naming the host
 * for an answer that does not come, is too long, or is no HTTP that can be used.
 */
export function openFetch(dialer: Dialer, clock: Clock): OAuthFetch {
  return async (url, request) => {
    const failure = (what: string, cause?: unknown): GatewayError =>
      new GatewayError("server_failed", `Cannot log in at ${printable(url.host)}: ${what}`, {
        cause,
      });
    const late = new AbortController();
    const cancel = clock.after(DEADLINE_MS, () => late.abort());
    try {
      const { statusCode, headers, body } = await dialer.request(url, {
        ...request,
        headers: { "accept-encoding": "identity", ...request.headers },
        signal: late.signal,
      });
      const chunks: Uint8Array[] = [];
      let length = 0;
      for await (const chunk of body as AsyncIterable<Uint8Array>) {
        length += chunk.length;
        if (length > MAX_BYTES) throw failure(`its answer is longer than ${MAX_BYTES} bytes`);
        chunks.push(chunk);
      }
      const type = headers["content-type"];
      const challenge = headers["www-authenticate"];
      const bare = statusCode === 204 || statusCode === 205 || statusCode === 304;
      return new Response(bare ? null : Buffer.concat(chunks), {
        status: statusCode,
        headers: {
          ...(typeof type === "string" && { "content-type": type }),
          ...(typeof challenge === "string" && { "www-authenticate": challenge }),
        },
      });
    } catch (error) {
      if (error instanceof GatewayError) throw error;
      if (late.signal.aborted) {
        throw failure(`it does not answer within ${DEADLINE_MS / 1000} s, try again later`, error);
      }
      throw failure("the connection broke, try again later", error);
    } finally {
      cancel();
    }
  };
}
