/**
 * The worker on Deno: `Deno.serve` for `deno run`, the default export for `deno serve`.
 *
 * @module
 */
import { GatewayError } from "../../src/errors.ts";
import { SUBPROTOCOL } from "../../src/tunnel/frame.ts";
import type { Upgrade } from "../hub/hub.ts";
import type { Listen } from "./listen.ts";

/** The part of Deno's namespace that the worker uses. */
interface DenoNamespace {
  readonly args: readonly string[];
  readonly env: { toObject(): Record<string, string> };
  upgradeWebSocket(
    request: Request,
    options: { readonly protocol: string; readonly idleTimeout: number },
  ): { readonly socket: WebSocket; readonly response: Response };
  serve(
    options: { hostname: string; port: number; signal: AbortSignal; onListen: () => void },
    handler: (request: Request) => Response | Promise<Response>,
  ): { readonly addr: { readonly port: number }; readonly finished: Promise<void> };
}

/** Deno's namespace, where there is one. */
export function denoNamespace(): DenoNamespace | undefined {
  return (globalThis as { readonly Deno?: DenoNamespace }).Deno;
}

/** Upgrades through `Deno.upgradeWebSocket`. */
export const upgradeDeno: Upgrade = (request, open) => {
  const deno = denoNamespace();
  if (deno === undefined) throw new TypeError("Not on Deno");
  if (!request.headers.has("sec-websocket-key")) {
    // Deno would throw; the other platforms answer such a request before we see it.
    throw new GatewayError("upgrade_required", "Cannot open a tunnel: no Sec-WebSocket-Key");
  }
  const { socket, response } = deno.upgradeWebSocket(request, {
    protocol: SUBPROTOCOL,
    // The tunnel has a heartbeat of its own; Deno's timer would outlive a socket that broke, and hold
    // a process that ends for 15 s.
    idleTimeout: 0,
  });
  socket.binaryType = "arraybuffer";
  socket.onopen = () => {
    const events = open({
      send: (text) => {
        if (socket.readyState === WebSocket.OPEN) socket.send(text);
      },
      close: (code, reason) => socket.close(code, reason),
    });
    let over = false;
    socket.onmessage = ({ data }) => {
      if (typeof data === "string") events.message(data);
      else socket.close(1003, "Binary messages are not agreed");
    };
    socket.onclose = ({ code, reason }) => {
      // Deno may report the end twice.
      if (!over) events.closed(code, reason);
      over = true;
    };
  };
  return response;
};

/** Serves `fetch` on `hostname` and `port`. */
export const listenDeno: Listen = ({ hostname, port, fetch }) => {
  const deno = denoNamespace();
  if (deno === undefined) throw new TypeError("Not on Deno");
  const closing = new AbortController();
  const server = deno.serve(
    { hostname, port, signal: closing.signal, onListen: () => {} },
    (request) => fetch(request, { upgrade: upgradeDeno }),
  );
  const close = (): Promise<void> => {
    // Not shutdown(), which waits for every client that is still sending or reading.
    closing.abort();
    return server.finished;
  };
  return Promise.resolve({ port: server.addr.port, close });
};
