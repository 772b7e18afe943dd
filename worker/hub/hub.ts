/**
 * The interface between front door and homes, the same in one process and across a platform.
 *
 * @module
 */
import type { Readiness } from "../home/readiness.ts";
import type { McpRequest } from "../home/request.ts";
import type { Wire, WireEvents } from "../../src/tunnel/wire.ts";

/**
 * Answers a WebSocket upgrade in the way of the runtime: returns the response for it, and calls
 * `open` when the socket is open.
 */
export type Upgrade = (request: Request, open: (wire: Wire) => WireEvents) => Response;

/** Finds the home of a tunnel, wherever it lives, and hands it what belongs there. */
export interface Hub {
  /** A client's request. */
  fetch(tunnel: string, request: McpRequest): Promise<Response>;
  /** A runner's upgrade request, opened by the tunnel token with the id `token`. */
  connect(
    tunnel: string,
    request: Request,
    options: { readonly token: string; readonly upgrade: Upgrade },
  ): Promise<Response>;
  /** Whether a runner of the tunnel answers now. */
  readiness(tunnel: string): Promise<Readiness>;
  /** Ends what a token has opened: the connections of a tunnel token, the streams of a client token. */
  revoke(tunnel: string, token: string): Promise<void>;
}
