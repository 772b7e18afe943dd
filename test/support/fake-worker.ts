/**
 * A worker that does what a test wants: it takes tunnels over real sockets, and neither knows nor
 * keeps the rules of the protocol.
 *
 * @module
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { type RawData, type WebSocket, WebSocketServer } from "ws";
import { decodeFrame, encodeFrame, type Frame, type Header } from "../../src/tunnel/frame.ts";
import { WELCOME } from "./fake-wire.ts";

/** What a worker answers to a request that does not open a tunnel. */
export interface Refusal {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as it is; a function writes and ends the answer itself. */
  readonly body?: string | ((response: ServerResponse) => void);
}

/** A worker on loopback. */
export interface FakeWorker extends AsyncDisposable {
  readonly origin: string;
  /** Requests so far, upgrades and others. */
  readonly requests: readonly IncomingMessage[];
  /** While set, no tunnel is opened: every request gets this. */
  refuse: Refusal | undefined;
  /** Whether it agrees to the subprotocol. */
  subprotocol: boolean;
  /** The next tunnel that is opened, or the one that was and nobody has asked for yet. */
  tunnel(): Promise<FakeTunnel>;
}

/** The worker's end of a tunnel. */
export interface FakeTunnel {
  readonly socket: WebSocket;
  readonly request: IncomingMessage;
  /** Resolves with the close code. */
  readonly closed: Promise<number>;
  /** The next frame of `type`, and of the call `id` if given; frames before it are dropped. */
  frame(type: Header["type"], id?: string): Promise<Frame>;
  say(header: Header, payload?: string): void;
  /** Waits for hello, welcomes the runner, and waits for its offer. */
  welcome(): Promise<Frame>;
}

/** Starts a worker. `join` is what it answers to `POST /join`. */
export async function startFakeWorker(join: object = {}): Promise<FakeWorker> {
  const requests: IncomingMessage[] = [];
  const opened: FakeTunnel[] = [];
  const waiting: ((tunnel: FakeTunnel) => void)[] = [];
  const http = createServer((request, response) => {
    requests.push(request);
    if (request.url === "/join") response.end(JSON.stringify(join));
    else answer(response, worker.refuse ?? { status: 426 });
  });
  const sockets = new WebSocketServer({
    noServer: true,
    maxPayload: 2 ** 28,
    handleProtocols: (offered) => worker.subprotocol && [...offered][0] || false,
  });
  http.on("upgrade", (request, socket, head) => {
    requests.push(request);
    socket.on("error", () => {});
    if (worker.refuse !== undefined) {
      socket.end(`HTTP/1.1 ${worker.refuse.status} Refused\r\nConnection: close\r\n\r\n`);
      return;
    }
    sockets.handleUpgrade(request, socket, head, (opening) => {
      const tunnel = fakeTunnel(opening, request);
      const next = waiting.shift();
      if (next === undefined) opened.push(tunnel);
      else next(tunnel);
    });
  });
  await new Promise<void>((resolve) => void http.listen(0, "127.0.0.1", resolve));
  const worker: FakeWorker = {
    origin: `http://127.0.0.1:${(http.address() as AddressInfo).port}`,
    requests,
    refuse: undefined,
    subprotocol: true,
    tunnel: () => {
      const tunnel = opened.shift();
      if (tunnel !== undefined) return Promise.resolve(tunnel);
      return new Promise((resolve) => waiting.push(resolve));
    },
    [Symbol.asyncDispose]: async () => {
      for (const client of sockets.clients) client.terminate();
      http.closeAllConnections();
      await new Promise((resolve) => http.close(resolve));
    },
  };
  return worker;
}

function answer(response: ServerResponse, { status, headers = {}, body = "" }: Refusal): void {
  response.writeHead(status, headers);
  if (typeof body === "string") response.end(body);
  else body(response);
}

function fakeTunnel(socket: WebSocket, request: IncomingMessage): FakeTunnel {
  const frames: Frame[] = [];
  const closed = new Promise<number>((resolve) => socket.on("close", resolve));
  let look: () => void = () => {};
  socket.setMaxListeners(0);
  socket.on("error", () => {});
  socket.on("message", (data: RawData) => {
    const text = (data as Buffer).toString("utf8");
    // A test may echo what is no frame.
    if (!text.startsWith("{")) return;
    const frame = decodeFrame(text);
    if (frame !== undefined) frames.push(frame);
    look();
  });
  const frame = (type: Header["type"], id?: string): Promise<Frame> =>
    new Promise((resolve, reject) => {
      look = () => {
        for (let next = frames.shift(); next !== undefined; next = frames.shift()) {
          const { header } = next;
          if (header.type !== type || (id !== undefined && !("id" in header && header.id === id))) {
            continue;
          }
          look = () => {};
          resolve(next);
          return;
        }
      };
      void closed.then((code) => reject(new Error(`Closed with ${code} before ${type}`)));
      look();
    });
  const say = (header: Header, payload?: string): void => socket.send(encodeFrame(header, payload));
  return {
    socket,
    request,
    closed,
    frame,
    say,
    welcome: async () => {
      await frame("hello");
      say(WELCOME);
      return await frame("offer");
    },
  };
}
