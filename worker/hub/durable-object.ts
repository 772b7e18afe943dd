/**
 * Homes as Durable Objects, one for each tunnel, so that every instance of the worker reaches the
 * same one. The front worker's side is a hub over the namespace; the object's side is `TunnelHome`.
 *
 *     any method /mcp  + caller header     a client's request
 *     GET /tunnel      + token header      a runner's upgrade
 *     GET /readiness, POST /revoke + token header
 *
 * @module
 */
import * as v from "valibot";
import { systemClock } from "../../src/clock.ts";
import { jsonLog } from "../../src/log.ts";
import { type HeaderOf, SUBPROTOCOL } from "../../src/tunnel/frame.ts";
import { PING, PONG } from "../../src/tunnel/heartbeat.ts";
import type { Wire, WireEvents } from "../../src/tunnel/wire.ts";
import { parseCaller } from "../front/caller.ts";
import { Home } from "../home/home.ts";
import type { Readiness } from "../home/readiness.ts";
import {
  acceptSocket,
  autoRespond,
  type ObjectNamespace,
  type ObjectSocket,
  type ObjectState,
} from "../platform/cloudflare.ts";
import { durableObjectStore } from "../store/durable-object.ts";
import type { Fetcher } from "../store/remote.ts";
import type { Hub } from "./hub.ts";

/** Where the requests go, in the eyes of the object; the host has no meaning. */
const HOME_URL = "https://home.internal";

const CALLER_HEADER = "mcp-runner-caller";
const TOKEN_HEADER = "mcp-runner-token";
const TUNNEL_HEADER = "mcp-runner-tunnel";

const readinessSchema = v.object({ ready: v.boolean(), reason: v.string() });
const attachment = v.object({ token: v.string(), tunnel: v.string(), hello: v.unknown() });

const log = jsonLog((line) => console.log(line));

/** A hub over the namespace of `TunnelHome`. */
export function objectHub(namespace: ObjectNamespace): Hub {
  const home = (tunnel: string): Fetcher => namespace.get(namespace.idFromName(tunnel));
  return {
    fetch: (tunnel, { method, headers, body, caller }) => {
      const passed = new Headers(headers);
      passed.delete("authorization");
      passed.set(CALLER_HEADER, encodeURIComponent(JSON.stringify(caller)));
      passed.set(TUNNEL_HEADER, tunnel);
      return home(tunnel).fetch(
        new Request(`${HOME_URL}/mcp`, {
          method,
          headers: passed,
          ...(method === "POST" && { body }),
        }),
      );
    },
    connect: (tunnel, request, { token }) => {
      const headers = new Headers(request.headers);
      headers.delete("authorization");
      headers.set(TOKEN_HEADER, token);
      headers.set(TUNNEL_HEADER, tunnel);
      return home(tunnel).fetch(new Request(`${HOME_URL}/tunnel`, { headers }));
    },
    readiness: async (tunnel) => {
      const headers = { [TUNNEL_HEADER]: tunnel };
      const response = await home(tunnel).fetch(new Request(`${HOME_URL}/readiness`, { headers }));
      return v.parse(readinessSchema, await response.json());
    },
    revoke: async (tunnel, token) => {
      const headers = { [TOKEN_HEADER]: token, [TUNNEL_HEADER]: tunnel };
      await home(tunnel).fetch(new Request(`${HOME_URL}/revoke`, { method: "POST", headers }));
    },
  };
}

/** The object that holds the home of one tunnel. Only the front worker can reach it. */
export class TunnelHome {
  readonly #state: ObjectState;
  readonly #sockets = new Map<ObjectSocket, WireEvents>();
  #home: Home | undefined;

  constructor(state: ObjectState) {
    this.#state = state;
    autoRespond(state, PING, PONG);
    const sockets = state.getWebSockets();
    for (const socket of sockets) this.#restore(socket);
    if (sockets.length > 0) log("debug", "A home has woken", { connections: sockets.length });
  }

  async fetch(request: Request): Promise<Response> {
    const { pathname } = new URL(request.url);
    const tunnel = request.headers.get(TUNNEL_HEADER) ?? "";
    const home = this.#homeOf(tunnel);
    switch (pathname) {
      case "/mcp":
        return home.fetch({
          method: request.method,
          headers: request.headers,
          body: await request.text(),
          caller: parseCaller(decodeURIComponent(request.headers.get(CALLER_HEADER) ?? "")),
          signal: request.signal,
        });
      case "/tunnel":
        return this.#connect(home, tunnel, request.headers.get(TOKEN_HEADER) ?? "");
      case "/readiness": {
        const readiness: Readiness = await home.readiness();
        return Response.json(readiness);
      }
      default:
        home.revoke(request.headers.get(TOKEN_HEADER) ?? "");
        return new Response(null, { status: 204 });
    }
  }

  /** Called by the platform, also as the first thing after a sleep. */
  webSocketMessage(socket: ObjectSocket, message: string | ArrayBuffer): void {
    if (typeof message === "string") this.#sockets.get(socket)?.message(message);
    else socket.close(1003, "Binary messages are not agreed");
  }

  /** Called by the platform. */
  webSocketClose(socket: ObjectSocket, code: number, reason: string): void {
    this.#sockets.get(socket)?.closed(code, reason);
    this.#sockets.delete(socket);
  }

  /** Called by the platform in place of `webSocketClose` when the connection broke. */
  webSocketError(socket: ObjectSocket): void {
    this.webSocketClose(socket, 1006, "");
  }

  #homeOf(tunnel: string): Home {
    this.#home ??= new Home({
      tunnel,
      store: durableObjectStore(this.#state.storage),
      clock: systemClock,
      log,
    });
    return this.#home;
  }

  #connect(home: Home, tunnel: string, token: string): Response {
    const { socket, response } = acceptSocket(this.#state, SUBPROTOCOL);
    const greeted = (hello: HeaderOf<"hello">): void =>
      socket.serializeAttachment({ token, tunnel, hello });
    this.#sockets.set(socket, home.runners.attach(this.#wireOf(socket), { token, greeted }));
    return response;
  }

  /** Takes up a connection that stayed open while the object slept. */
  #restore(socket: ObjectSocket): void {
    const parsed = v.safeParse(attachment, socket.deserializeAttachment());
    if (!parsed.success) {
      // It never said hello: there is nothing to take up, and its runner dials again.
      socket.close(1012, "Restarted before hello");
      return;
    }
    const { token, tunnel, hello } = parsed.output;
    const restored = hello as HeaderOf<"hello">;
    const events = this.#homeOf(tunnel).runners.attach(this.#wireOf(socket), { token, restored });
    this.#sockets.set(socket, events);
  }

  #wireOf(socket: ObjectSocket): Wire {
    return {
      send: (text) => {
        try {
          socket.send(text);
        } catch {
          // The socket is closing: its close event ends what was in flight.
        }
      },
      close: (code, reason) => {
        try {
          // Closed for us, even if the peer ignores it: after a sleep there is nothing to take up.
          socket.serializeAttachment(null);
          socket.close(code, reason);
        } catch {
          // Already closed.
        }
      },
      // The platform answers heartbeats by itself and only notes when.
      heardAt: () => this.#state.getWebSocketAutoResponseTimestamp(socket)?.getTime(),
    };
  }
}
