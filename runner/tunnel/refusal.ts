/**
 * Why a worker did not open a tunnel. The WebSocket API does not tell, so socket.ts asks here once
 * more, over plain HTTP with the same token.
 *
 * @module
 */
import * as v from "valibot";
import { GatewayError } from "../../src/errors.ts";
import { printable } from "../../src/log.ts";
import { SUBPROTOCOL } from "../../src/tunnel/frame.ts";
import { readJson } from "../client/read-body.ts";

/** Milliseconds for the answer. */
const DEADLINE_MS = 15_000;

/** Bytes of the answer that are read. */
const MAX_BODY_BYTES = 64 * 1024;

/** Characters of a worker's words that are shown. */
const MAX_QUOTE_LENGTH = 300;

/** What of a refusal's body is read. */
const refusalBody = v.object({
  error: v.object({
    message: v.string(),
    data: v.optional(v.object({
      code: v.optional(v.string()),
      supported: v.optional(v.array(v.string())),
    })),
  }),
});

/** A dial that has failed. */
export interface FailedDial {
  readonly origin: string;
  readonly token: string;
  /** What the WebSocket API says of it. */
  readonly failure: string;
}

/**
 * Asks the worker.
 *
 * @returns `tunnel_refused` when dialling again is of no use, `tunnel_protocol` when it is.
 */
export async function explainRefusal(
  { origin, token, failure }: FailedDial,
): Promise<GatewayError> {
  const refused = (why: string): GatewayError =>
    new GatewayError("tunnel_refused", `Cannot connect to ${origin}: ${why}`);
  const unreachable = (why: string): GatewayError =>
    new GatewayError("tunnel_protocol", `Cannot reach the worker at ${origin}: ${why}`);
  let response: Response;
  let body: unknown;
  try {
    response = await fetch(new URL("/tunnel", origin), {
      headers: { authorization: `Bearer ${token}` },
      signal: AbortSignal.timeout(DEADLINE_MS),
      redirect: "manual",
    });
    body = await readJson(response, MAX_BODY_BYTES);
  } catch (error) {
    return unreachable(causeOf(error));
  }
  const { status } = response;
  const location = response.headers.get("location");
  const parsed = v.safeParse(refusalBody, body);
  const said = parsed.success ? parsed.output.error : undefined;
  switch (said?.data?.code) {
    case "unauthorized":
      return refused(
        "the worker does not know this machine's tunnel token, " +
          'run "mcp-runner connect" with a new join code',
      );
    case "token_revoked":
      return refused(
        'this machine\'s tunnel token was revoked, run "mcp-runner disconnect" and then ' +
          '"mcp-runner connect" with a new join code',
      );
    case "upgrade_required":
      // The token is good and HTTP works.
      return said?.data?.supported?.includes(SUBPROTOCOL) === false
        ? refused('it speaks another version, update with "npx mcp-runner@latest" or update it')
        : unreachable(`${failure}; is there a proxy that does not pass WebSockets on?`);
    case undefined:
      if (status === 404) return refused("there is no mcp-runner worker at this URL");
      if (location !== null && status >= 300 && status < 400) {
        return unreachable(`it redirects to ${quote(location)}, use the URL of the worker itself`);
      }
      return unreachable(`it answers with HTTP ${status} instead of opening a tunnel`);
    default: {
      const why = quote(said?.message ?? "");
      return status < 500 ? refused(why) : unreachable(why);
    }
  }
}

/** Words of the worker, which is not trusted, for a terminal. */
function quote(words: string): string {
  return printable(words.slice(0, MAX_QUOTE_LENGTH));
}

function causeOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error && error.cause.message !== ""
    ? error.cause.message
    : error.message;
}
