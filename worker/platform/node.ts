/**
 * The worker on Node ≥ 22.13: `node:http` through @hono/node-server, WebSockets through ws. Loaded
 * only there; the bundle asks the process for the builtins at that moment.
 *
 * @module
 */
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import { getRequestListener } from "@hono/node-server";
import { type RawData, WebSocket, WebSocketServer } from "ws";
import { batchWrites } from "../../src/batch.ts";
import { GatewayError } from "../../src/errors.ts";
import { MAX_MESSAGE_BYTES, SUBPROTOCOL } from "../../src/tunnel/frame.ts";
import type { Wire, WireEvents } from "../../src/tunnel/wire.ts";
import type { AppBindings } from "../app.ts";
import type { Listen } from "./listen.ts";
import { SocketCap } from "./socket-cap.ts";

/** Milliseconds after the app's own limit when Node ends a request whose body is still to come. */
const REQUEST_GRACE_MS = 5_000;

/** Milliseconds that a socket may idle between two requests; Node's own default, which it announces. */
const KEEP_ALIVE_MS = 5_000;

/** Milliseconds between two looks at the clock of every connection; Node's own default is 30 s. */
const CHECK_MS = 1_000;

type Open = (wire: Wire) => WireEvents;

/** Serves `fetch` on `hostname` and `port`, with upgrades to WebSocket. */
export const listenNode: Listen = async ({ hostname, port, fetch, limits }) => {
  const noUpgrade: AppBindings = {
    upgrade: () => {
      throw new GatewayError("upgrade_required", "Cannot open a tunnel without an upgrade");
    },
  };
  // The adapter's own Response, which it puts in place of the global one, spares a call a tenth of
  // its time: Node's would make a stream of each answer only to read it back.
  const answer = getRequestListener((request) => fetch(request, noUpgrade));
  const server = createServer(
    {
      headersTimeout: limits.headersMs,
      requestTimeout: limits.headersMs + limits.bodyMs + REQUEST_GRACE_MS,
      keepAliveTimeout: KEEP_ALIVE_MS,
      connectionsCheckingInterval: CHECK_MS,
      // Some clients offer h2c with every request: to take that for an upgrade would lose the body.
      shouldUpgradeCallback: ({ method }) => method === "GET",
    },
    (incoming, outgoing) => void answer(incoming, outgoing),
  );
  const cap = new SocketCap(limits.maxSockets);
  server.on("connection", (socket) => {
    const { remoteAddress = "" } = socket;
    // Nothing is said to the one too many: an answer would cost what the cap is to save.
    if (!cap.enter(remoteAddress)) socket.destroy();
    else socket.once("close", () => cap.leave(remoteAddress));
  });
  const sockets = new WebSocketServer({
    noServer: true,
    maxPayload: MAX_MESSAGE_BYTES,
    perMessageDeflate: false,
    handleProtocols: () => SUBPROTOCOL,
  });
  server.on("upgrade", (request, socket, head) => {
    socket.on("error", () => socket.destroy());
    answerUpgrade(request, socket, fetch).then((open) => {
      if (open !== undefined) {
        sockets.handleUpgrade(request, socket, head, (ws) => bind(ws, socket, open));
      }
    }).catch(() => socket.destroy());
  });
  await listening(server, hostname, port);
  return {
    port: (server.address() as AddressInfo).port,
    close: async () => {
      for (const ws of sockets.clients) ws.terminate();
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      });
    },
  };
};

function listening(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen({ host, port }, () => {
      server.off("error", reject);
      resolve();
    });
  });
}

/** Asks the app about an upgrade: what to open, or nothing after its refusal was written. */
async function answerUpgrade(
  incoming: IncomingMessage,
  socket: Duplex,
  fetch: Parameters<Listen>[0]["fetch"],
): Promise<Open | undefined> {
  const headers = new Headers();
  for (const [name, value] of Object.entries(incoming.headers)) {
    if (value !== undefined) headers.set(name, Array.isArray(value) ? value.join(", ") : value);
  }
  const url = new URL(incoming.url ?? "/", `http://${headers.get("host") ?? "localhost"}`);
  let opened: Open | undefined;
  const response = await fetch(new Request(url, { headers }), {
    upgrade: (_, open) => {
      opened = open;
      return new Response(null, { status: 204 });
    },
  });
  if (opened === undefined) await refuse(socket, response);
  return opened;
}

async function refuse(socket: Duplex, response: Response): Promise<void> {
  const body = new Uint8Array(await response.arrayBuffer());
  const lines = [`HTTP/1.1 ${response.status} Refused`];
  response.headers.forEach((value, name) => lines.push(`${name}: ${value}`));
  lines.push(`content-length: ${body.length}`, "connection: close", "", "");
  socket.write(lines.join("\r\n"));
  socket.end(body);
}

function bind(ws: WebSocket, socket: Duplex, open: Open): void {
  const beforeWrite = batchWrites(socket, setImmediate);
  const events = open({
    send: (text) => {
      if (ws.readyState !== WebSocket.OPEN) return;
      beforeWrite();
      ws.send(text);
    },
    close: (code, reason) => ws.close(code, reason),
  });
  // Without a listener one oversize message would end the whole process; a close event follows.
  ws.on("error", () => {});
  // Of the three forms that ws can give a message, its default is one Buffer.
  ws.on("message", (data: RawData, binary: boolean) => {
    if (binary) ws.close(1003, "Binary messages are not agreed");
    else events.message((data as Buffer).toString());
  });
  ws.on("close", (code, reason) => events.closed(code, reason.toString()));
}
