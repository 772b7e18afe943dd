/**
 * Where a tunnel lives: its connected runners, its sessions, its calls in flight and what it offers.
 * The hub finds it and hands it requests that the front door has let through; platforms hand it the
 * sockets of runners.
 *
 *     request → message.ts → era.ts → modern.ts or legacy.ts ┬ lists: listing.ts, from the offer
 *                                                            └ calls: relay.ts over a link.ts
 *
 * @module
 */
import { GatewayError, toGatewayError, toRpcError } from "../../src/errors.ts";
import type { RequestMeta } from "../../src/mcp/meta.ts";
import { MAX_TOOL_NAME_LENGTH, unknownTool } from "../../src/mcp/name.ts";
import type { OfferedTool } from "../../src/mcp/offer.ts";
import { matchesAny } from "../../src/policy/pattern.ts";
import type { Caller } from "../front/caller.ts";
import { errorResponse } from "./answer.ts";
import type { HomeContext } from "./context.ts";
import { eraOf } from "./era.ts";
import { endSession, serveLegacy } from "./legacy.ts";
import { grantedTools, mayHave } from "./listing.ts";
import { type ClientMessage, readMessage } from "./message.ts";
import { serveModern } from "./modern.ts";
import { type Readiness, readinessProbe } from "./readiness.ts";
import { relay } from "./relay.ts";
import type { McpRequest } from "./request.ts";
import { Runners } from "./runners.ts";
import { type Session, Sessions } from "./session.ts";

/** Calls in flight per tunnel; above it a call is refused at once. */
const MAX_CALLS = 1_024;

/** The home of one tunnel. */
export class Home {
  readonly runners: Runners;
  readonly sessions: Sessions;
  /** Whether a runner answers right now. */
  readonly readiness: () => Promise<Readiness>;
  readonly #context: HomeContext;
  /** Calls of sessions by session and request id, for notifications/cancelled. */
  readonly #cancels = new Map<string, { cancel: () => void }>();
  #calls = 0;

  constructor(context: HomeContext) {
    this.#context = context;
    this.runners = new Runners(context);
    this.sessions = new Sessions(context.store, context.tunnel, () => context.clock.now());
    this.readiness = readinessProbe(this.runners, context.clock);
  }

  /** Answers one request to the MCP endpoint; never rejects. */
  async fetch(request: McpRequest): Promise<Response> {
    let message: ClientMessage | undefined;
    try {
      if (request.method === "DELETE") return await endSession(this, request);
      message = readMessage(request.body);
      const era = eraOf(message, request.headers);
      return await (era.era === "modern"
        ? serveModern(this, request, message, era.meta)
        : serveLegacy(this, request, message));
    } catch (thrown) {
      return this.#refuse(toGatewayError(thrown), message);
    }
  }

  /** The tools that `caller` may see, also those of runners that are away. */
  async tools(caller: Caller): Promise<readonly OfferedTool[]> {
    return grantedTools(await this.runners.offers(), caller.tools);
  }

  /**
   * Sends a tools/call to a runner.
   *
   * @throws {GatewayError} what refuses the call before it leaves: `invalid_params`,
   * `unknown_tool`, `runner_offline`, `overloaded`, `call_cancelled`.
   */
  async call(
    request: McpRequest,
    message: ClientMessage,
    { id, meta, session }: {
      readonly id: string;
      readonly meta: RequestMeta;
      readonly session?: Session;
    },
  ): Promise<Response> {
    const name = message.param("name");
    if (name === undefined) {
      throw new GatewayError("invalid_params", "Cannot call a tool: params.name is missing");
    }
    // Before the patterns, whose time is their length by that of the name.
    if (name.length > MAX_TOOL_NAME_LENGTH) throw unknownTool(name);
    const offers = await this.runners.offers();
    const granted = matchesAny(request.caller.tools, name);
    if (!granted || !offers.some((offer) => mayHave(offer, name))) throw unknownTool(name);
    const link = await this.runners.pick(name);
    if (this.#calls >= MAX_CALLS || link.inFlight >= link.maxCalls) {
      throw new GatewayError(
        "overloaded",
        "Cannot take the call: too many calls are in flight, try again in a moment",
      );
    }
    if (session === undefined && request.signal.aborted) {
      throw new GatewayError("call_cancelled", "The client has left before the call was sent", {
        executed: "no",
      });
    }
    this.#calls++;
    const cancelKey = session === undefined ? undefined : keyOf(session, id);
    const entry = { cancel: (): void => {} };
    if (cancelKey !== undefined) this.#cancels.set(cancelKey, entry);
    const { response, cancel } = relay({
      link,
      request,
      id,
      meta,
      clock: this.#context.clock,
      method: message.method,
      params: message.params,
      leavingCancels: session === undefined,
      ended: () => {
        this.#calls--;
        // A client may use an id again while it is in use: the younger call has the place.
        if (cancelKey !== undefined && this.#cancels.get(cancelKey) === entry) {
          this.#cancels.delete(cancelKey);
        }
      },
    });
    entry.cancel = cancel;
    return response;
  }

  /** Cancels a call of `session` by the JSON text of its request id; unknown ones are ignored. */
  cancel(session: Session, requestId: string): void {
    this.#cancels.get(keyOf(session, requestId))?.cancel();
  }

  #refuse(error: GatewayError, message: ClientMessage | undefined): Response {
    if (error.code === "internal") {
      this.#context.log("error", "A request failed inside the worker", {
        tunnel: this.#context.tunnel,
        cause: error.cause instanceof Error ? error.cause.stack : String(error.cause),
      });
    }
    return errorResponse(message?.id, JSON.stringify(toRpcError(error)), error.facts.status);
  }
}

/** One key for all spellings of a request id, which is given as JSON text. */
function keyOf(session: Session, requestId: string): string {
  return `${session.id}\n${JSON.stringify(JSON.parse(requestId))}`;
}
