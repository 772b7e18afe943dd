/**
 * The proxy's reception over real sockets, between hostile clients and hostile hosts.
 *
 * @module
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { after, before, test } from "node:test";
import { createAllowlist } from "../../runner/egress-proxy/allowlist.ts";
import type { Decision } from "../../runner/egress-proxy/decision.ts";
import type { Dialler } from "../../runner/egress-proxy/dial.ts";
import { createReception } from "../../runner/egress-proxy/reception.ts";

/** What the host answers to whoever says something. */
let answer = "";
const sockets = new Set<Socket>();
const servers: Server[] = [];
const decisions: Decision[] = [];
let port = 0;
let direct = 0;
let proxied = 0;

async function listen(paused: boolean, onClient: (socket: Socket) => void): Promise<number> {
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: paused }, (socket) => {
    sockets.add(socket.on("error", () => {}));
    onClient(socket);
  });
  servers.push(server.listen(0, "127.0.0.1"));
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

before(async () => {
  port = await listen(
    false,
    (socket) => socket.once("data", () => socket.end(answer, "latin1")),
  );
  const targets = ["allowed.example", "other.example"].map((host) => ({ host, port }));
  const dialler: Dialler = {
    find: async () => ["127.0.0.1"],
    connect: async ([host = ""], to) => {
      const socket = connect({ host, port: to, allowHalfOpen: true }).on("error", () => {});
      await once(socket, "connect");
      return socket;
    },
  };
  const reception = createReception(createAllowlist(targets), dialler, (decision) => {
    decisions.push(decision);
  });
  direct = await listen(true, (socket) => reception.direct(socket, port));
  proxied = await listen(true, (socket) => reception.proxied(socket));
});
after(() => {
  for (const socket of sockets) socket.destroy();
  for (const server of servers) server.close();
});

/** All that comes back until the end of the connection. */
async function talk(to: number, input: string): Promise<string> {
  const socket = connect(to, "127.0.0.1");
  let got = "";
  socket.on("data", (chunk) => got += chunk.toString("latin1"));
  socket.on("error", ({ message }) => got += message);
  socket.write(input, "latin1");
  await once(socket, "close", { signal: AbortSignal.timeout(3_000) });
  return got;
}

const get = (more = "") =>
  `GET / HTTP/1.1\r\nHost: allowed.example:${port}\r\nConnection: close\r\n${more}\r\n`;

for (
  const head of ["200 \x01OK", "200 \x7f", "000 None", "099 Low", "099 \x01"]
) {
  test(`an answer that begins ${JSON.stringify(head)} ends the request`, async () => {
    answer = `HTTP/1.1 ${head}\r\nContent-Length: 0\r\n\r\n`;
    const status = head.startsWith("2") ? "200 OK" : "502 Bad Gateway";
    assert.match(await talk(direct, get()), new RegExp(`^HTTP/1\\.1 ${status}\r\n`));
  });

  test(`an answer to an upgrade that begins ${JSON.stringify(head)} ends it`, async () => {
    answer = `HTTP/1.1 ${head}\r\nContent-Length: 0\r\n\r\n`;
    const upgrade = get().replace("close", "upgrade").replace(/\r\n$/, "Upgrade: echo\r\n\r\n");
    const status = head.startsWith("2") ? "200 OK" : "502 Bad Gateway";
    assert.match(await talk(direct, upgrade), new RegExp(`^HTTP/1\\.1 ${status}\r\n`));
  });
}

test("a host cannot answer twice", async () => {
  answer = "HTTP/1.1 204 None\r\nContent-Length: 3\r\n\r\nabc";
  const upgrade = get().replace("close", "upgrade").replace(/\r\n$/, "Upgrade: echo\r\n\r\n");
  assert.equal((await talk(direct, upgrade)).match(/HTTP\/1\.1/g)?.length, 1);
});

test("a place that CONNECT cannot name is told as it was written", async () => {
  decisions.length = 0;
  for (const place of ["0x7f.1:443", "allowed.example:https", "a@allowed.example:443"]) {
    assert.match(
      await talk(proxied, `CONNECT ${place} HTTP/1.1\r\nHost: x\r\n\r\n`),
      /^HTTP\/1\.1 403 /,
    );
  }
  assert.deepEqual(decisions.map(({ host, reason }) => [host, reason]), [
    ["0x7f.1:443", "is no host and port"],
    ["allowed.example:https", "is no host and port"],
    ["a@allowed.example:443", "is no host and port"],
  ]);
});

test("CONNECT within CONNECT, and within a port's HTTP, is refused", async () => {
  const connectTo = `CONNECT allowed.example:${port} HTTP/1.1\r\nHost: x\r\n\r\n`;
  assert.match(await talk(proxied, connectTo + connectTo), /^HTTP\/1\.1 200 [^]*HTTP\/1\.1 403 /);
  assert.match(await talk(direct, connectTo), /^HTTP\/1\.1 403 /);
});
