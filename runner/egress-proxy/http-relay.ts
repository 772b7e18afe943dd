/**
 * Plain HTTP. Each request is parsed, judged by its own host, and written anew on a connection of its own:
 * what one parser takes for a body and another for a request cannot pass, and a second request of the same
 * connection is judged as the first was.
 *
 * @module
 */
import {
  createServer,
  type IncomingMessage,
  request,
  type ServerResponse,
  STATUS_CODES,
} from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { pipeline } from "node:stream";
import { authorityOf } from "./allowlist.ts";
import { Blocked } from "./decision.ts";
import type { Gate } from "./gate.ts";
import { passedOn, valuesOf } from "./headers.ts";
import { IDLE_MS } from "./settings.ts";
import { splice } from "./splice.ts";

/** Longest head of a request or response, in bytes. */
const MAX_HEAD_BYTES = 16 * 1024;

/** Where a connection came in: the port that it meant, or none for a client that knows that we are a proxy. */
export interface Entry {
  readonly port: number | undefined;
}

/** Takes over connections that speak HTTP. */
export interface HttpRelay {
  /** The bytes that were read to find that out must have been put back. */
  serve(client: Socket, entry: Entry): void;
}

/** What a request asks of whom. */
interface Wanted {
  readonly host: string;
  readonly port: number;
  readonly path: string;
  /** Value of `Host` for the upstream. */
  readonly authority: string;
}

/**
 * A relay that lets `gate` judge.
 *
 * @param tunnel Takes what follows a CONNECT to an allowed place.
 */
export function createHttpRelay(
  gate: Gate,
  tunnel: (client: Socket, host: string, port: number) => void,
): HttpRelay {
  const entries = new WeakMap<Duplex, Entry>();
  const server = createServer({
    maxHeaderSize: MAX_HEAD_BYTES,
    keepAliveTimeout: 5_000,
    requireHostHeader: false,
  });
  const entryOf = (socket: Duplex): Entry => entries.get(socket) ?? { port: undefined };

  server.on("request", (incoming, response) => {
    void relay(incoming, response).catch((error: unknown) => {
      refuse(response, ...gate.answerTo(error));
    });
  });
  server.on("upgrade", (incoming: IncomingMessage, socket: Duplex, head: Uint8Array) => {
    void upgrade(incoming, socket as Socket, head).catch((error: unknown) => {
      refuseRaw(socket, ...gate.answerTo(error));
    });
  });
  server.on("connect", (incoming: IncomingMessage, socket: Duplex, head: Uint8Array) => {
    void open(incoming, socket as Socket, head).catch((error: unknown) => {
      refuseRaw(socket, ...gate.answerTo(error));
    });
  });
  server.on("clientError", (_error, socket) => refuseRaw(socket, 400, "This is not valid HTTP"));

  async function dial(incoming: IncomingMessage, wanted: Wanted, headers: readonly string[]) {
    const { host, port, path, authority } = wanted;
    const upstream = await gate.reach(host, port);
    // Who has gone meanwhile is not told of later.
    if (incoming.socket.destroyed) upstream.destroy();
    const outgoing = request({
      createConnection: () => upstream,
      method: incoming.method ?? "GET",
      path,
      headers: ["Host", authority, ...headers],
      setHost: false,
      maxHeaderSize: MAX_HEAD_BYTES,
    });
    outgoing.setTimeout(IDLE_MS, () => outgoing.destroy());
    return outgoing;
  }

  async function relay(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const { rawHeaders } = incoming;
    const wanted = wantedOf(incoming, entryOf(incoming.socket));
    const chunked = valuesOf(rawHeaders, "transfer-encoding").length > 0;
    const outgoing = await dial(incoming, wanted, [
      ...passedOn(rawHeaders, "host"),
      ...(chunked ? ["Transfer-Encoding", "chunked"] : []),
      "Connection",
      "close",
    ]);
    outgoing.on("response", (answer) => {
      const status = finalStatus(answer);
      if (status === undefined) return void outgoing.destroy(new Error("No status of HTTP"));
      // The host's own phrase says nothing that counts (RFC 9112 §4), and may hold anything.
      response.writeHead(status, [...passedOn(answer.rawHeaders)]);
      // Whatever goes wrong now can only be told by breaking off, which pipeline does.
      pipeline(answer, response, () => {});
    });
    outgoing.on("error", () => refuse(response, 502, `${wanted.host} gave no valid answer`));
    // An upgrade that nobody asked for.
    outgoing.on("upgrade", (_answer, socket: Duplex) => {
      socket.destroy();
      refuse(response, 502, `${wanted.host} gave no valid answer`);
    });
    response.on("close", () => outgoing.destroy());
    incoming.pipe(outgoing);
  }

  async function upgrade(incoming: IncomingMessage, client: Socket, head: Uint8Array) {
    client.on("error", () => {});
    const { rawHeaders } = incoming;
    const wanted = wantedOf(incoming, entryOf(client));
    const outgoing = await dial(incoming, wanted, [
      ...passedOn(rawHeaders, "host", "content-length"),
      "Connection",
      "Upgrade",
      "Upgrade",
      valuesOf(rawHeaders, "upgrade").join(", "),
    ]);
    client.once("close", () => outgoing.destroy());
    let answered = false;
    outgoing.on("error", () => {
      if (answered) client.destroy();
      else refuseRaw(client, 502, `${wanted.host} gave no valid answer`);
    });
    outgoing.on("upgrade", (answer, socket: Duplex, rest: Uint8Array) => {
      answered = true;
      client.write(headOf(101, answer.rawHeaders));
      if (rest.length > 0) socket.unshift(rest);
      if (head.length > 0) client.unshift(head);
      splice(client, socket as Socket);
    });
    outgoing.on("response", (answer) => {
      const status = finalStatus(answer);
      if (status === undefined) return void outgoing.destroy(new Error("No status of HTTP"));
      answered = true;
      client.write(headOf(status, [...passedOn(answer.rawHeaders), "Connection", "close"]));
      pipeline(answer, client, () => {});
    });
    outgoing.end();
  }

  async function open(incoming: IncomingMessage, client: Socket, head: Uint8Array) {
    client.on("error", () => {});
    if (entryOf(client).port !== undefined) {
      throw new Blocked("asks for CONNECT where that is not served");
    }
    const { url = "" } = incoming;
    const target = authorityOf(url);
    if (target?.port === undefined) throw gate.block(url, undefined, "is no host and port");
    await gate.check(target.host, target.port);
    client.write("HTTP/1.1 200 Connection established\r\n\r\n");
    if (head.length > 0) client.unshift(head);
    tunnel(client, target.host, target.port);
  }

  return {
    serve(client, entry) {
      entries.set(client, entry);
      client.setTimeout(IDLE_MS, () => client.destroy());
      server.emit("connection", client);
      // It was paused while its opening was read.
      client.resume();
    },
  };
}

/** @throws {Blocked} when the request names no host, two of them, or another port than it came to. */
function wantedOf({ url = "", rawHeaders }: IncomingMessage, entry: Entry): Wanted {
  const hosts = valuesOf(rawHeaders, "host");
  if (hosts.length > 1) throw new Blocked("names two hosts");
  // RFC 9112 §3.2.2: a whole URL counts, and Host does not.
  const [, whole, rest = ""] = /^http:\/\/([^/?#]*)([^#]*)/i.exec(url) ?? [];
  const target = authorityOf(whole ?? hosts[0] ?? "");
  if (target === undefined) throw new Blocked("names no host");
  if (whole === undefined && !url.startsWith("/") && url !== "*") {
    throw new Blocked("asks for something else than a path or an http: URL");
  }
  if (whole === undefined && entry.port === undefined) throw new Blocked("names no URL");
  const port = target.port ?? (whole === undefined ? entry.port ?? 80 : 80);
  if (entry.port !== undefined && port !== entry.port) {
    throw new Blocked("names another port than it came to");
  }
  const path = whole === undefined ? url : rest.startsWith("/") ? rest : `/${rest}`;
  return { host: target.host, port, path, authority: whole ?? hosts[0] ?? "" };
}

/** The status of an answer; `undefined` for a number that is none (RFC 9110 §15). */
function finalStatus({ statusCode = 0 }: IncomingMessage): number | undefined {
  return statusCode >= 200 && statusCode <= 999 ? statusCode : undefined;
}

function headOf(status: number, fields: readonly string[]): string {
  const lines = fields.flatMap((name, i) => i % 2 === 0 ? [`${name}: ${fields[i + 1] ?? ""}`] : []);
  const first = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? "Unknown"}`;
  return `${[first, ...lines].join("\r\n")}\r\n\r\n`;
}

function refuse(response: ServerResponse, status: number, why: string): void {
  if (response.headersSent) return void response.destroy();
  response.writeHead(status, { "content-type": "text/plain", connection: "close" });
  response.end(`mcp-runner: ${why}\n`);
}

function refuseRaw(socket: Duplex, status: number, why: string): void {
  if (socket.destroyed) return;
  const reason = status === 403 ? "Forbidden" : status === 400 ? "Bad Request" : "Bad Gateway";
  const body = `mcp-runner: ${why}\n`;
  socket.end(
    `HTTP/1.1 ${status} ${reason}\r\nContent-Type: text/plain\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`,
    // As it was read: a byte is a character.
    "latin1",
  );
}
