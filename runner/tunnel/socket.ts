import type { RawData } from "ws";
import { batchWrites } from "../../src/batch.ts";
import { CLOSE } from "../../src/tunnel/close.ts";
import { MAX_MESSAGE_BYTES, SUBPROTOCOL } from "../../src/tunnel/frame.ts";
import type { Wire, WireEvents } from "../../src/tunnel/wire.ts";
import { explainRefusal } from "./refusal.ts";

/** Milliseconds for the handshake of a dial. */
const DIAL_DEADLINE_MS = 15_000;

/** How ws names the refusal of a message beyond the limit; the other end gets close code 1009. */
const TOO_LONG = "WS_ERR_UNSUPPORTED_MESSAGE_LENGTH";

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
  const { WebSocket } = await import("ws");
  const url = new URL("/tunnel", origin);
  url.protocol = url.protocol === "http:" ? "ws:" : "wss:";
  const ws = new WebSocket(url, SUBPROTOCOL, {
    headers: { authorization: `Bearer ${token}` },
    handshakeTimeout: DIAL_DEADLINE_MS,
    maxPayload: MAX_MESSAGE_BYTES,
    perMessageDeflate: false,
  });
  let beforeWrite: () => void = () => {};
  ws.once("upgrade", ({ socket }) => beforeWrite = batchWrites(socket, setImmediate));
  const failure = await new Promise<string | undefined>((resolve) => {
    ws.once("open", () => resolve(undefined));
    ws.once("error", ({ message }) => {
      const late = message.includes("timed out");
      resolve(late ? `no answer within ${DIAL_DEADLINE_MS / 1000} s` : "it opens no WebSocket");
    });
  });
  if (failure !== undefined) throw await explainRefusal({ origin, token, failure });

  const events = open({
    send: (text) => {
      if (ws.readyState !== WebSocket.OPEN) return;
      beforeWrite();
      ws.send(text);
    },
    close: (code, reason) => ws.close(code, reason),
  });
  let over = false;
  const end = (code: number, reason: string): void => {
    if (over) return;
    over = true;
    events.closed(code, reason);
  };
  ws.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === TOO_LONG) end(CLOSE.protocol, "Only messages of bounded length are agreed");
    // Otherwise the close event that follows says all that there is to say.
  });
  // Of the three forms that ws can give a message, its default is one Buffer.
  ws.on("message", (data: RawData, binary: boolean) => {
    if (over) return;
    if (!binary) {
      events.message((data as Buffer).toString());
      return;
    }
    // A worker that breaks the rules may not answer the close, so nobody waits for it.
    const reason = "Only text messages are agreed";
    ws.close(CLOSE.protocol, reason);
    end(CLOSE.protocol, reason);
  });
  ws.on("close", (code, reason) => end(code, reason.toString()));
}
