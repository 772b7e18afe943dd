/**
 * Many servers as one: routes calls by qualified name, applies each server's allowlist, and says what
 * is offered. It is the authority: what comes from a worker is checked here as if nobody had before.
 *
 * @module
 */
import type { Call, Reply } from "../../src/call.ts";
import type { Clock } from "../../src/clock.ts";
import { GatewayError, toGatewayError, toRpcError } from "../../src/errors.ts";
import type { Log } from "../../src/log.ts";
import { unknownTool } from "../../src/mcp/name.ts";
import type { Offer } from "../../src/mcp/offer.ts";
import type { Peer } from "../server/peer.ts";
import {
  type CallParams,
  progressToken,
  readCallParams,
  toCallerResult,
  toProgressNote,
  toServerParams,
} from "../server/tool-call.ts";
import { MAX_CALLS, tooMany, tooSlow } from "./limits.ts";
import { offerOf } from "./offer.ts";
import { type GatewayServer, type Route, routeCall } from "./route.ts";

/** What a gateway needs of the runner. */
export interface GatewayContext {
  readonly servers: readonly GatewayServer[];
  readonly clock: Clock;
  readonly log: Log;
}

/** A call in flight, and who hears of it. */
interface InFlight {
  readonly call: Call;
  readonly reply: Reply;
  /** Aborted with the reason when nobody waits any more. */
  readonly signal: AbortSignal;
}

/** The servers of one runner. */
export class Gateway {
  readonly #context: GatewayContext;
  readonly #servers: ReadonlyMap<string, GatewayServer>;
  /** What withdraws each call in flight, by call id: a call that is sent twice still runs once. */
  readonly #calls = new Map<string, (reason: string) => void>();
  #whenIdle: (() => void)[] = [];

  constructor(context: GatewayContext) {
    this.#context = context;
    this.#servers = new Map(context.servers.map((entry) => [entry.server.name, entry]));
  }

  /** Calls that have not ended. */
  get inFlight(): number {
    return this.#calls.size;
  }

  /** Resolves when no call is in flight, at the latest after `deadlineMs`. */
  idle(deadlineMs: number): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.#context.clock.after(deadlineMs, resolve);
      this.#whenIdle.push(() => {
        cancel();
        resolve();
      });
      this.#checkIdle();
    });
  }

  /** What callers may use, in the order of the config. */
  offer(): Offer {
    return { servers: this.#context.servers.map(offerOf) };
  }

  /** Takes a call; `reply` hears of it until its end. A repeated id is ignored. */
  call(call: Call, reply: Reply): void {
    if (this.#calls.has(call.id)) return;
    if (call.method === "ping") {
      reply.result("{}");
      return;
    }
    if (this.#calls.size >= MAX_CALLS) {
      reply.error(this.#describe(tooMany()));
      return;
    }
    const ending = new AbortController();
    let accepted = false;
    const cancelDeadline = this.#context.clock.after(call.deadlineMs, () => {
      this.cancel(call.id, "Deadline");
      reply.error(this.#describe(tooSlow(call.deadlineMs, accepted)));
    });
    const withdraw = (reason: string): void => {
      cancelDeadline();
      ending.abort(reason);
    };
    this.#calls.set(call.id, withdraw);
    const end = (): void => {
      cancelDeadline();
      // After a cancel the id may belong to another call.
      if (this.#calls.get(call.id) === withdraw) this.#calls.delete(call.id);
      this.#checkIdle();
    };
    this.#run({
      call,
      signal: ending.signal,
      reply: {
        accepted: () => {
          accepted = true;
          reply.accepted();
        },
        note: (note) => reply.note(note),
        result: (result) => (end(), reply.result(result)),
        error: (error) => (end(), reply.error(error)),
      },
    }).catch((thrown: unknown) => {
      end();
      if (!ending.signal.aborted) reply.error(this.#describe(thrown));
    });
  }

  /** Nobody waits for the call any more: its server is told, and its reply hears nothing. */
  cancel(id: string, reason: string): void {
    const withdraw = this.#calls.get(id);
    this.#calls.delete(id);
    withdraw?.(reason);
    this.#checkIdle();
  }

  /** Cancels every call: the tunnel that they came by is gone. */
  cancelAll(reason: string): void {
    for (const id of this.#calls.keys()) this.cancel(id, reason);
  }

  /** Starts every server, so that its tools become known; one that fails does not stop the others. */
  async start(): Promise<void> {
    await Promise.allSettled(this.#context.servers.map(({ server }) => server.running()));
  }

  /** Stops every server for good. */
  async stop(): Promise<void> {
    this.cancelAll("The runner is stopping");
    await Promise.allSettled(this.#context.servers.map(({ server }) => server.stop()));
  }

  #checkIdle(): void {
    if (this.#calls.size > 0) return;
    const waiting = this.#whenIdle;
    this.#whenIdle = [];
    for (const resolve of waiting) resolve();
  }

  async #run(inFlight: InFlight): Promise<void> {
    const { call, signal } = inFlight;
    if (call.method !== "tools/call") {
      throw new GatewayError("unknown_method", "Method not found");
    }
    const params = readCallParams(call.params === "" ? "{}" : call.params);
    const route = routeCall(this.#servers, params);
    for (let attempt = 1;; attempt++) {
      const run = await route.server.running();
      if (signal.aborted) return;
      try {
        this.#send(inFlight, params, route, run.peer);
        return;
      } catch (error) {
        // Nothing was written. A process that takes no input is about to end, if it is not only busy.
        const ending = error instanceof GatewayError &&
          (error.code === "server_failed" || error.code === "server_crashed");
        if (!ending || attempt > 1) throw error;
        await run.ended;
        if (signal.aborted) return;
      }
    }
  }

  #send({ call, signal, reply }: InFlight, params: CallParams, route: Route, peer: Peer): void {
    const { server, tool } = route;
    if (!server.tools?.some(({ name }) => name === tool)) throw unknownTool(route.name);
    const token = progressToken(params);
    const withdraw = peer.send("tools/call", (id) => toServerParams(params, tool, id), {
      progress: (progress) => {
        if (token !== undefined) reply.note(toProgressNote(progress, token));
      },
      result: (result, members) =>
        reply.result(toCallerResult(result, members, call.protocolVersion)),
      error: (error) => reply.error(error),
      lost: (error) => reply.error(this.#describe(error)),
    });
    signal.addEventListener("abort", () => withdraw(String(signal.reason)));
    reply.accepted();
  }

  #describe(thrown: unknown): string {
    const error = toGatewayError(thrown);
    if (error.code === "internal") {
      this.#context.log("error", "A call failed inside the runner", {
        cause: error.cause instanceof Error ? error.cause.stack : String(error.cause),
      });
    }
    return JSON.stringify(toRpcError(error));
  }
}
