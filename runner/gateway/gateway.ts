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
import { parseQualified, qualify, unknownTool } from "../../src/mcp/name.ts";
import type { Offer, OfferedServer } from "../../src/mcp/offer.ts";
import { MAX_SERVER_DEPTH, scan, spliceObject, stringMember } from "../../src/mcp/scan.ts";
import { isAllowed, type ToolRules } from "../../src/policy/allowlist.ts";
import type { ListedTool } from "../server/handshake.ts";
import type { Server } from "../server/server.ts";
import {
  type CallParams,
  progressToken,
  readCallParams,
  toCallerResult,
  toProgressNote,
  toServerParams,
} from "../server/tool-call.ts";

/** A server and which of its tools may be used. */
export interface GatewayServer {
  readonly server: Server;
  readonly rules: ToolRules;
}

/** What a gateway needs of the runner. */
export interface GatewayContext {
  readonly servers: readonly GatewayServer[];
  readonly clock: Clock;
  readonly log: Log;
}

/** The servers of one runner. */
export class Gateway {
  readonly #context: GatewayContext;
  readonly #servers: ReadonlyMap<string, GatewayServer>;
  /** Calls in flight by call id: a call that is sent twice still runs once. */
  readonly #calls = new Map<string, (reason: string) => void>();
  #whenIdle: (() => void)[] = [];

  constructor(context: GatewayContext) {
    this.#context = context;
    this.#servers = new Map(context.servers.map((entry) => [entry.server.name, entry]));
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
    return { servers: this.#context.servers.map(offered) };
  }

  /** Takes a call; `reply` hears of it until its end. A repeated id is ignored. */
  call(call: Call, reply: Reply): void {
    if (this.#calls.has(call.id)) return;
    if (call.method === "ping") {
      reply.result("{}");
      return;
    }
    const ending = new AbortController();
    const cancelDeadline = this.#context.clock.after(call.deadlineMs, () => {
      this.cancel(call.id, "Deadline");
      reply.error(this.#describe(tooSlow(call.deadlineMs)));
    });
    this.#calls.set(call.id, (reason) => {
      cancelDeadline();
      ending.abort(reason);
    });
    const end = (): void => {
      cancelDeadline();
      this.#calls.delete(call.id);
      this.#checkIdle();
    };
    this.#run(call, ending.signal, {
      accepted: () => reply.accepted(),
      note: (note) => reply.note(note),
      result: (result) => (end(), reply.result(result)),
      error: (error) => (end(), reply.error(error)),
    }).catch((thrown: unknown) => {
      end();
      if (!ending.signal.aborted) reply.error(this.#describe(thrown));
    });
  }

  /** Nobody waits for the call any more: its server is told, and its reply hears nothing. */
  cancel(id: string, reason: string): void {
    const cancel = this.#calls.get(id);
    this.#calls.delete(id);
    cancel?.(reason);
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

  async #run(call: Call, signal: AbortSignal, reply: Reply): Promise<void> {
    if (call.method !== "tools/call") {
      throw new GatewayError("unknown_method", "Method not found");
    }
    const params = readCallParams(call.params === "" ? "{}" : call.params);
    const { server, tool } = this.#route(params);
    const { peer } = await server.running();
    if (signal.aborted) return;
    if (!server.tools?.some(({ name }) => name === tool)) throw unknownTool(nameOf(params));
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

  /** The server and its own tool name, if the rules let the call through. */
  #route(params: CallParams): { readonly server: Server; readonly tool: string } {
    const name = nameOf(params);
    const address = parseQualified(name);
    const entry = address && this.#servers.get(address.server);
    if (entry === undefined || !isAllowed(entry.rules, address?.tool ?? "")) {
      throw unknownTool(name);
    }
    return { server: entry.server, tool: address?.tool ?? "" };
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

function nameOf({ text, outline }: CallParams): string {
  const name = stringMember(text, outline, "name");
  if (name === undefined) {
    throw new GatewayError("invalid_params", "Cannot call a tool: params.name is missing");
  }
  return name;
}

function offered({ server, rules }: GatewayServer): OfferedServer {
  const allowed = (server.tools ?? []).filter(({ name }) => isAllowed(rules, name));
  return {
    name: server.name,
    listed: server.tools !== undefined,
    tools: allowed.map((tool) => {
      const name = qualify({ server: server.name, tool: tool.name });
      return { name, raw: renamed(tool, name) };
    }),
  };
}

/** The tool object with its qualified name; everything else stays as the server wrote it. */
function renamed({ raw }: ListedTool, name: string): string {
  const outline = scan(raw, { keep: 1, maxDepth: MAX_SERVER_DEPTH });
  return spliceObject(raw, outline, { name: JSON.stringify(name) });
}

function tooSlow(deadlineMs: number): GatewayError {
  return new GatewayError(
    "call_timeout",
    `The tool did not answer within ${deadlineMs / 1000} s: it may still have run`,
  );
}
