import { CLOSE } from "../../src/tunnel/close.ts";
import { MAX_MESSAGE_BYTES, SUBPROTOCOL } from "../../src/tunnel/frame.ts";
import type { Wire, WireEvents } from "../../src/tunnel/wire.ts";
import { explainRefusal } from "./refusal.ts";

/** Milliseconds for the handshake of a dial. */
const DIAL_DEADLINE_MS = 15_000;

/** Where a tunnel leads, and what opens it. */
export interface Dial {
  /** The worker, as `https://host` or, on loopback, `http://host:port`. */
  readonly origin: string;
  readonly token: string;
}

/**
 * Opens a WebSocket to the worker.
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
    socket.onerror = () => {
      clearTimeout(timer);
      resolve("it opens no WebSocket");
    };
  });
  if (failure !== undefined) throw await explainRefusal({ origin, token, failure });

  const events = open({
    send: (text) => {
      if (socket.readyState === WebSocket.OPEN) socket.send(text);
    },
    close: (code, reason) => socket.close(code, reason),
  });
  let over = false;
  const end = (code: number, reason: string): void => {
    if (over) return;
    over = true;
    events.closed(code, reason);
  };
  socket.onerror = () => {
    // A close event follows and says all that there is to say.
  };
  socket.onmessage = ({ data }) => {
    if (over) return;
    if (typeof data === "string" && data.length <= MAX_MESSAGE_BYTES) {
      events.message(data);
      return;
    }
    // A worker that breaks the rules may not answer the close, so nobody waits for it.
    const reason = "Only text messages of bounded length are agreed";
    socket.close(CLOSE.protocol, reason);
    end(CLOSE.protocol, reason);
  };
  socket.onclose = ({ code, reason }) => end(code, reason);
}
