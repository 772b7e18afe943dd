/**
 * Half of the bare relay: takes HTTP requests, passes each body on over the one WebSocket that was
 * opened to it, and answers with what comes back. On the same `node:http` and `ws` as the worker; no
 * router, no token, no MCP.
 *
 * @module
 */
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { type WebSocket, WebSocketServer } from "ws";

const waiting = new Map<string, ServerResponse>();
let responder: WebSocket | undefined;
let lastId = 0;

const server = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on("data", (chunk: Buffer) => chunks.push(chunk));
  request.on("end", () => {
    const id = String(++lastId);
    waiting.set(id, response);
    responder?.send(`${id}\n${Buffer.concat(chunks).toString()}`);
  });
});

const sockets = new WebSocketServer({ server, perMessageDeflate: false });
sockets.on("connection", (socket) => {
  responder = socket;
  socket.on("message", (data) => {
    const text = (data as Buffer).toString();
    const end = text.indexOf("\n");
    const id = text.slice(0, end);
    const body = Buffer.from(text.slice(end + 1));
    const response = waiting.get(id);
    waiting.delete(id);
    response?.writeHead(200, {
      "content-type": "application/json",
      "content-length": body.length,
    }).end(body);
  });
});

server.listen(0, "127.0.0.1", () => {
  process.stdout.write(`http://127.0.0.1:${(server.address() as AddressInfo).port}/\n`);
});
