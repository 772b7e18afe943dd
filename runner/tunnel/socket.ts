import * as v from "valibot";
import { GatewayError } from "../../src/errors.ts";
import { MAX_MESSAGE_BYTES, SUBPROTOCOL } from "../../src/tunnel/frame.ts";
import type { Wire, WireEvents } from "../../src/tunnel/wire.ts";

/** Milliseconds for the handshake of a dial. */
const DIAL_DEADLINE_MS = 15_000;

/** Where a tunnel leads, and what opens it. */
export interface Dial {
  /** The worker, as `https://host` or, on loopback, `http://host:port`. */
  readonly origin: string;
  readonly token: string;
}

/**
 * Opens a WebSocket to the worker. A failed handshake is asked about once more over plain HTTP,
 * because the WebSocket API does not tell why it failed.
 *
 * @param open Called once the socket is open; its events then get everything that happens.
 * @throws {GatewayError} `tunnel_refused` when dialling again is of no use; any other error when it is.
 */
export async function dialTunnel(
  { origin, token }: Dial,
  open: (wire: Wire) => WireEvents,
): Promise<void> {
  // Loaded here: the command line must not wait for it in commands that dial nothing.
  const { WebSocket } = await import("undici");
  const url = new URL("/tunnel", origin);
  const headers = { authorization: `Bearer ${token}` };
  url.protocol = url.protocol === "http:" ? "ws:" : "wss:";
  const socket = new WebSocket(url, { protocols: [SUBPROTOCOL], headers });
  const failure = await new Promise<string | undefined>((resolve) => {
    const timer = setTimeout(() => {
      socket.close();
      resolve(`no answer within ${DIAL_DEADLINE_MS / 1000} s`);
    }, DIAL_DEADLINE_MS);
    socket.onopen = () => {
      clearTimeout(timer);
      resolve(undefined);
    };
    socket.onerror = ({ error }) => {
      clearTimeout(timer);
      resolve(error instanceof Error ? error.message : "connection failed");
    };
  });
  if (failure !== undefined) throw await explain(origin, token, failure);

  const events = open({
    send: (text) => {
      if (socket.readyState === WebSocket.OPEN) socket.send(text);
    },
    close: (code, reason) => socket.close(code, reason),
  });
  socket.onerror = () => {
    // A close event follows and says all that there is to say.
  };
  socket.onmessage = ({ data }) => {
    if (typeof data !== "string" || data.length > MAX_MESSAGE_BYTES) {
      socket.close(4400, "Only text messages of bounded length are agreed");
    } else events.message(data);
  };
  socket.onclose = ({ code, reason }) => events.closed(code, reason);
}

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

/** Why the worker did not open a tunnel, asked over HTTP with the same token. */
async function explain(origin: string, token: string, failure: string): Promise<GatewayError> {
  const refused = (why: string): GatewayError =>
    new GatewayError("tunnel_refused", `Cannot connect to ${origin}: ${why}`);
  const unreachable = (why: string): GatewayError =>
    new GatewayError("tunnel_protocol", `Cannot reach the worker at ${origin}: ${why}`);
  let status: number;
  let body: unknown;
  try {
    const response = await fetch(new URL("/tunnel", origin), {
      headers: { authorization: `Bearer ${token}` },
      signal: AbortSignal.timeout(DIAL_DEADLINE_MS),
      redirect: "manual",
    });
    status = response.status;
    body = await response.json().catch(() => undefined);
  } catch (error) {
    return unreachable(causeOf(error));
  }
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
      return status === 404
        ? refused("there is no mcp-runner worker at this URL")
        : unreachable(`${failure} (HTTP ${status})`);
    default:
      return status < 500
        ? refused(said?.message ?? "")
        : unreachable(said?.message ?? `HTTP ${status}`);
  }
}

function causeOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error && error.cause.message !== ""
    ? error.cause.message
    : error.message;
}
