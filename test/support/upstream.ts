/**
 * Upstreams at the other end of a real connection: HTTP servers on loopback that a test writes by
 * hand, and the lines that come out of what connects to them.
 *
 * @module
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { launchUpstream, type UpstreamSpec } from "../../runner/upstream/launch.ts";
import type { ServerProcess } from "../../runner/server/process.ts";
import { type Clock, systemClock } from "../../src/clock.ts";
import { eventually } from "./eventually.ts";

/** What the token endpoint of an authorization server gets. */
const FORM = "application/x-www-form-urlencoded;charset=UTF-8";

/** A JSON-RPC message as a test looks at it. */
export interface RpcMessage {
  readonly id?: number | string;
  readonly method?: string;
  readonly params?: Readonly<Record<string, unknown>>;
  readonly result?: Readonly<Record<string, unknown>>;
  readonly error?: {
    readonly code: number;
    readonly message: string;
    readonly data?: Readonly<Record<string, unknown>>;
  };
}

/** A request that a server has got. */
export interface Got {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
  /** The message in its body; empty without one, and for a form. */
  readonly message: RpcMessage;
  /** Whether the connection was closed before the answer was complete. */
  aborted: boolean;
}

/** Answers one request. */
export type Handler = (got: Got, response: ServerResponse) => void | Promise<void>;

/** A server on loopback. */
export interface Site {
  readonly origin: string;
  readonly url: string;
  /** Everything it has got, in order. */
  readonly got: readonly Got[];
  /** Closes every connection, and itself. */
  close(): Promise<void>;
}

/** What a test cleans up with. */
interface Cleanup {
  after(run: () => Promise<void>): void;
}

/** Starts a server that answers as `handler` does. */
export async function serveHttp(t: Cleanup, handler: Handler): Promise<Site> {
  const got: Got[] = [];
  const site = await listen(t, (request, response) => {
    void readText(request).then((text) => {
      const each: Got = {
        method: request.method ?? "",
        path: request.url ?? "",
        headers: request.headers,
        text,
        message: isJson(request, text) ? JSON.parse(text) as RpcMessage : {},
        aborted: false,
      };
      response.on("close", () => each.aborted = !response.writableFinished);
      got.push(each);
      return handler(each, response);
    });
  });
  return { ...site, got };
}

/** Starts a server whose requests go to `listener` as they are. */
export async function listen(
  t: Cleanup,
  listener: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<Omit<Site, "got">> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("It listens on no port");
  let closed: Promise<void> | undefined;
  const close = (): Promise<void> =>
    closed ??= new Promise((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  t.after(close);
  const origin = `http://127.0.0.1:${address.port}`;
  return { origin, url: `${origin}/mcp`, close };
}

function isJson({ headers }: IncomingMessage, text: string): boolean {
  return text !== "" && headers["content-type"] !== FORM;
}

async function readText(request: IncomingMessage): Promise<string> {
  let text = "";
  request.setEncoding("utf8");
  for await (const chunk of request) text += String(chunk);
  return text;
}

/** A connection to an upstream, and what has come out of it. */
export interface Far {
  readonly process: ServerProcess;
  readonly lines: readonly string[];
  readonly stderr: readonly string[];
  /** Sizes of what was no text. */
  readonly garbage: readonly number[];
  /** Writes a message. */
  write(message: object): void;
  /** Writes a request and waits for its answer. */
  ask(message: RpcMessage): Promise<RpcMessage>;
  /** Waits for a message. */
  heard(what: string, is: (message: RpcMessage) => boolean): Promise<RpcMessage>;
}

/** Connects to the upstream at `url`. */
export async function connectTo(
  t: Cleanup,
  url: string,
  { headers = {}, clock = systemClock, ...rest }:
    & { readonly headers?: Readonly<Record<string, string>>; readonly clock?: Clock }
    & Partial<Omit<UpstreamSpec, "headers" | "clock" | "url">> = {},
): Promise<Far> {
  const lines: string[] = [];
  const messages: RpcMessage[] = [];
  const stderr: string[] = [];
  const garbage: number[] = [];
  const process = await launchUpstream({
    url,
    headers: () => Promise.resolve(headers),
    allowPrivate: false,
    env: {},
    clock,
    ...rest,
  });
  t.after(() => process.stop(0));
  process.onLine((line) => {
    lines.push(line);
    messages.push(forOwner(process, JSON.parse(line) as RpcMessage));
  });
  process.onStderr((line) => void stderr.push(line));
  process.onGarbage((bytes) => void garbage.push(bytes));
  const write = (message: object): void =>
    process.write(JSON.stringify({ jsonrpc: "2.0", ...message }));
  const heard: Far["heard"] = (what, is) =>
    eventually(what, () => Promise.resolve(messages.find(is)));
  return {
    process,
    lines,
    stderr,
    garbage,
    write,
    heard,
    ask: (message) => {
      write(message);
      return heard(
        `an answer to ${message.method}`,
        ({ id, method }) => id === message.id && method === undefined,
      );
    },
  };
}

/** The message; of a failure of ours with what the owner is told of it rather than strangers. */
function forOwner(process: ServerProcess, message: RpcMessage): RpcMessage {
  const { error } = message;
  if (error === undefined) return message;
  const own = process.failureOf?.(JSON.stringify(error));
  return own === undefined ? message : { ...message, error: { ...error, message: own.message } };
}

/** `_meta` of a request of MCP 2026-07-28. */
export const MODERN_META = {
  "io.modelcontextprotocol/protocolVersion": "2026-07-28",
  "io.modelcontextprotocol/clientInfo": { name: "test", version: "1" },
  "io.modelcontextprotocol/clientCapabilities": {},
} as const;

/** A request of MCP 2026-07-28. */
export function modern(id: number, method: string, params: object = {}): RpcMessage {
  return { id, method, params: { ...params, _meta: MODERN_META } };
}

/** The request that opens a session of `version`. */
export function initialize(id: number, version = "2025-11-25"): RpcMessage {
  return {
    id,
    method: "initialize",
    params: {
      protocolVersion: version,
      capabilities: {},
      clientInfo: { name: "test", version: "1" },
    },
  };
}

/** Answers with a JSON body. */
export function sendJson(response: ServerResponse, body: unknown, status = 200): void {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(JSON.stringify(body));
}

/** Answers with a stream of events; the text of each message is one event. */
export function sendEvents(response: ServerResponse, ...messages: readonly object[]): void {
  response.writeHead(200, { "content-type": "text/event-stream" });
  for (const message of messages) response.write(eventOf(message));
}

/** An event with a message, with an id if given. */
export function eventOf(message: object, id?: string): string {
  const data = JSON.stringify({ jsonrpc: "2.0", ...message });
  return `${id === undefined ? "" : `id: ${id}\n`}data: ${data}\n\n`;
}
