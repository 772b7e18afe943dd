/**
 * The parts of Cloudflare's platform that the worker uses, and how it upgrades a WebSocket inside a
 * Durable Object so that the object may sleep while the socket stays open.
 *
 * @module
 */
import type { ObjectStorage } from "../store/durable-object.ts";
import type { Fetcher } from "../store/remote.ts";

/** A hibernating WebSocket on the object's side. */
export interface ObjectSocket {
  send(text: string): void;
  close(code: number, reason: string): void;
  serializeAttachment(value: unknown): void;
  deserializeAttachment(): unknown;
}

/** The `ctx` of a Durable Object. */
export interface ObjectState {
  readonly storage: ObjectStorage;
  acceptWebSocket(socket: ObjectSocket): void;
  getWebSockets(): ObjectSocket[];
  setWebSocketAutoResponse(pair: unknown): void;
  getWebSocketAutoResponseTimestamp(socket: ObjectSocket): Date | null;
}

/** A namespace binding: one object for each name. */
export interface ObjectNamespace {
  idFromName(name: string): unknown;
  get(id: unknown): Fetcher;
}

/** The bindings of wrangler.jsonc or workerd's config. */
export interface CloudflareEnv {
  readonly TUNNELS: ObjectNamespace;
  readonly STORE: ObjectNamespace;
  readonly MCP_RUNNER_URL?: string;
  readonly MCP_RUNNER_ORIGINS?: string;
}

/** Globals that only this platform has. */
interface CloudflareGlobals {
  readonly WebSocketPair: new () => { readonly 0: unknown; readonly 1: ObjectSocket };
  readonly WebSocketRequestResponsePair: new (request: string, response: string) => unknown;
}

const globals = globalThis as unknown as CloudflareGlobals;

/** Whether this is Cloudflare's runtime, deployed or as `workerd`. */
export function onCloudflare(): boolean {
  return globalThis.navigator?.userAgent === "Cloudflare-Workers";
}

/** Lets the platform answer `request` with `response` without waking the object. */
export function autoRespond(state: ObjectState, request: string, response: string): void {
  state.setWebSocketAutoResponse(new globals.WebSocketRequestResponsePair(request, response));
}

/** Opens a hibernating WebSocket: the object's end, and the response that carries the other. */
export function acceptSocket(
  state: ObjectState,
  protocol: string,
): { readonly socket: ObjectSocket; readonly response: Response } {
  const pair = new globals.WebSocketPair();
  state.acceptWebSocket(pair[1]);
  const init = {
    status: 101,
    webSocket: pair[0],
    headers: { "sec-websocket-protocol": protocol },
  };
  return { socket: pair[1], response: new Response(null, init) };
}
