/**
 * Where a tunnel lives: its connected runners, its sessions, its calls in flight and what it offers.
 * The hub finds it and hands it requests that the front door has let through; platforms hand it the
 * sockets of runners.
 *
 *     request → message.ts → era.ts → modern.ts or legacy.ts ┬ lists: listing.ts, from the offers
 *                                                            ├ calls: dispatch.ts over a link.ts
 *                                                            └ news: changes.ts, resource-watch.ts
 *
 * @module
 */
import type { Clock } from "../../src/clock.ts";
import { type GatewayError, toGatewayError, toRpcError } from "../../src/errors.ts";
import { SESSION_HEADER } from "../../src/mcp/header.ts";
import type { Caller } from "../front/caller.ts";
import { errorResponse } from "./answer.ts";
import { Changes } from "./changes.ts";
import type { HomeContext } from "./context.ts";
import { Dispatch } from "./dispatch.ts";
import { eraOf } from "./era.ts";
import { endSession, openSessionStream, serveBatch, serveLegacy } from "./legacy.ts";
import { type ListRequest, listResult } from "./listing.ts";
import { type ClientMessage, readBatch, readMessage } from "./message.ts";
import { serveModern } from "./modern.ts";
import { type Readiness, readinessProbe } from "./readiness.ts";
import { ALLOWED_METHODS, CHALLENGE, type McpRequest, methodNotAllowed } from "./request.ts";
import { Runners } from "./runners.ts";
import { Sessions } from "./sessions.ts";
import { OpenStreams } from "./streams.ts";

/** The home of one tunnel. */
export class Home {
  readonly runners: Runners;
  /** Where calls go out. */
  readonly dispatch: Dispatch;
  /** Where it becomes known that lists have changed. */
  readonly changes = new Changes();
  /** Streams that are open as long as their clients listen. */
  readonly streams: OpenStreams;
  readonly clock: Clock;
  readonly sessions: Sessions;
  /** Whether a runner answers right now. */
  readonly readiness: () => Promise<Readiness>;
  readonly #context: HomeContext;

  constructor(context: HomeContext) {
    this.#context = context;
    this.clock = context.clock;
    this.runners = new Runners(context, this.changes);
    this.dispatch = new Dispatch(this.runners, context.clock);
    this.streams = new OpenStreams(context.clock);
    this.sessions = new Sessions(context);
    this.readiness = readinessProbe(this.runners, context.clock);
  }

  /** Answers one request to the MCP endpoint; never rejects. */
  async fetch(request: McpRequest): Promise<Response> {
    let message: ClientMessage | undefined;
    try {
      switch (request.method) {
        case "POST":
          break;
        case "GET":
          if (!request.headers.has(SESSION_HEADER)) throw methodNotAllowed();
          return await openSessionStream(this, request);
        case "DELETE":
          return await endSession(this, request);
        default:
          throw methodNotAllowed();
      }
      const batch = readBatch(request.body);
      if (batch !== undefined) return await serveBatch(this, request, batch);
      message = readMessage(request.body);
      const era = eraOf(message, request.headers);
      return await (era.era === "modern"
        ? serveModern(this, request, message, era.meta)
        : serveLegacy(this, request, message));
    } catch (thrown) {
      return this.#refuse(toGatewayError(thrown), message, request.caller);
    }
  }

  /**
   * The raw result of a list method, also of what runners offer that are away.
   *
   * @throws {GatewayError} `invalid_params` for a cursor that this list never gave out.
   */
  async list(
    { list, cursor, caller, era }: Pick<ListRequest, "list" | "cursor" | "era"> & {
      readonly caller: Caller;
    },
  ): Promise<string> {
    const limits = this.#context.pageLimits;
    const offers = await this.runners.offers();
    return listResult(offers, { list, cursor, era, granted: caller.tools, limits });
  }

  /** Closes what the token with the id `token` has opened, of a runner or a client, as it was revoked. */
  revoke(token: string): void {
    this.runners.revoke(token);
    this.streams.revoke(token);
  }

  /** Tells clients and runners that this process stops, so that both come again. */
  drain(): void {
    this.streams.drain();
    this.runners.drain();
    // After the runners: what they were at has then ended with their loss.
    this.sessions.drain();
  }

  /** Writes down for the operator what a client is told nothing of. */
  report(error: GatewayError): void {
    this.#context.log("error", "A request failed inside the worker", {
      tunnel: this.#context.tunnel,
      cause: error.cause instanceof Error ? error.cause.stack : String(error.cause),
    });
  }

  #refuse(
    error: GatewayError,
    message: ClientMessage | undefined,
    { client }: Caller,
  ): Response {
    if (error.code === "internal") this.report(error);
    // Whoever checks by the headers, such as a proxy, may have let through what the body asks for.
    if (error.code === "header_mismatch") {
      this.#context.log("warn", "A request's headers differ from its body", {
        tunnel: this.#context.tunnel,
        client,
        problem: error.message,
      });
    }
    const refusal = errorResponse(
      message?.id,
      JSON.stringify(toRpcError(error)),
      error.facts.status,
    );
    if (error.facts.status === 401) refusal.headers.set("www-authenticate", CHALLENGE);
    if (error.code === "method_not_allowed") refusal.headers.set("allow", ALLOWED_METHODS);
    return refusal;
  }
}
