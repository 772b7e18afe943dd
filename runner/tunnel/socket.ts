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

/** Why the worker did not open a tunnel, asked over HTTP with the same token. */
async function explain(origin: string, token: string, failure: string): Promise<GatewayError> {
  const unreachable = (cause: string): GatewayError =>
    new GatewayError("tunnel_protocol", `Cannot reach the worker at ${origin}: ${cause}`);
  let status: number;
  try {
    const response = await fetch(new URL("/tunnel", origin), {
      headers: { authorization: `Bearer ${token}` },
      signal: AbortSignal.timeout(DIAL_DEADLINE_MS),
      redirect: "manual",
    });
    await response.body?.cancel();
    status = response.status;
  } catch (error) {
    return unreachable(causeOf(error));
  }
  switch (status) {
    case 401:
      return refused(
        "the worker does not know this machine's tunnel token, " +
          'run "mcp-runner connect" with a new join code',
      );
    case 403:
      return refused(
        'this machine\'s tunnel token was revoked, run "mcp-runner disconnect" and then ' +
          '"mcp-runner connect" with a new join code',
      );
    case 426:
      // The token is good and HTTP works: what stands in between does not let WebSockets through.
      return unreachable(`${failure}; is there a proxy that does not pass WebSockets on?`);
    case 404:
      return refused("there is no mcp-runner worker at this URL");
    default:
      return unreachable(`${failure} (HTTP ${status})`);
  }
  function refused(why: string): GatewayError {
    return new GatewayError("tunnel_refused", `Cannot connect to ${origin}: ${why}`);
  }
}

function causeOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error && error.cause.message !== ""
    ? error.cause.message
    : error.message;
}
