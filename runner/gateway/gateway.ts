/**
 * Many servers as one: routes requests by what they name, applies each server's rules, and says what is
 * offered. It is the authority: what comes from a worker is checked here as if nobody had before.
 *
 * @module
 */
import type { Call, Reply } from "../../src/call.ts";
import type { Clock } from "../../src/clock.ts";
import { type ErrorCode, GatewayError, toGatewayError, toRpcError } from "../../src/errors.ts";
import type { Log } from "../../src/log.ts";
import type { Offer } from "../../src/mcp/offer.ts";
import { type Journal, NO_JOURNAL } from "../journal/journal.ts";
import { readParams } from "../server/params.ts";
import { traceOf } from "../server/trace-context.ts";
import { CallRecord, type RecordContext } from "./call-record.ts";
import { callerOf } from "./caller.ts";
import { serveCompletion } from "./completion-request.ts";
import { Directory } from "./directory.ts";
import type { GatewayServer } from "./gateway-server.ts";
import { MAX_CALLS, tooMany, tooSlow } from "./limits.ts";
import { serveNamed } from "./named-request.ts";
import { offerOf } from "./offer.ts";
import type { Problem } from "./problem.ts";
import { problemsOf } from "./problems.ts";
import type { Answerable, GatewayRequest, RequestContext } from "./request.ts";
import { RequestStates } from "./request-state.ts";
import { serveResource } from "./resource-request.ts";
import { serveSubscription, SUBSCRIPTION_ENDED } from "./subscription.ts";
import { ServerTaskIds } from "./task-id.ts";
import type { TaskKeeper } from "./task-keeper.ts";
import { serveTask } from "./task-request.ts";
import { checkUnambiguous } from "./unambiguous.ts";

/** What a gateway needs of the runner. */
export interface GatewayContext {
  /** Id of the runner, which what clients keep for it begins with. */
  readonly runner: string;
  readonly servers: readonly GatewayServer[];
  /** Turns slow calls into tasks; without it there are none. */
  readonly tasks?: TaskKeeper;
  readonly clock: Clock;
  readonly log: Log;
  /** Gets one event for each request but `ping`; nothing is written unless given. */
  readonly journal?: Journal;
  /** Whether all who call are the owner of the machine, who is told everything; strangers unless given. */
  readonly forOwner?: boolean;
}

type Serve = (context: RequestContext, request: GatewayRequest) => Promise<void>;

const METHODS: ReadonlyMap<string, Serve> = new Map<string, Serve>([
  ["tools/call", (context, request) => serveNamed(context, request, "tools/call")],
  ["prompts/get", (context, request) => serveNamed(context, request, "prompts/get")],
  ["resources/read", serveResource],
  ["completion/complete", serveCompletion],
  ["subscriptions/listen", serveSubscription],
  ["tasks/get", (context, request) => serveTask(context, request, "tasks/get")],
  ["tasks/update", (context, request) => serveTask(context, request, "tasks/update")],
  ["tasks/cancel", (context, request) => serveTask(context, request, "tasks/cancel")],
]);

/** Failures that refuse the whole HTTP request, wherever they arise (MCP 2026-07-28 streamable-http). */
const STATUS: ReadonlyMap<ErrorCode, 400 | 404> = new Map<ErrorCode, 400 | 404>([
  ["missing_capability", 400],
  ["header_mismatch", 400],
  ["unknown_method", 404],
]);

/** What ends a call in flight from outside. */
interface InFlight {
  readonly record: CallRecord;
  /** Nobody waits for it any more. */
  readonly withdraw: (reason: string) => void;
  /** It has no end of its own: this is its good one. */
  readonly finish: (() => void) | undefined;
}

/** The servers of one runner. */
export class Gateway {
  readonly #context: GatewayContext;
  readonly #requests: RequestContext;
  readonly #records: RecordContext;
  /** By call id: a call that is sent twice still runs once. */
  readonly #calls = new Map<string, InFlight>();
  #whenIdle: (() => void)[] = [];

  constructor(context: GatewayContext) {
    const { servers, runner, clock, tasks, journal = NO_JOURNAL } = context;
    this.#context = context;
    this.#records = { journal, clock, servers: () => this.#servers() };
    this.#requests = {
      directory: new Directory(servers),
      states: new RequestStates(runner, clock),
      taskIds: new ServerTaskIds(runner),
      tasks,
      clock,
      fail: (request, thrown) => this.#fail(request, thrown),
    };
  }

  /** Calls that have not ended. */
  get inFlight(): number {
    return this.#calls.size;
  }

  /**
   * Ends the subscriptions, which have no end of their own, and resolves when no call is in flight, at
   * the latest after `deadlineMs`.
   */
  idle(deadlineMs: number): Promise<void> {
    const subscriptions = [...this.#calls.values()].filter(({ finish }) => finish !== undefined);
    for (const { finish } of subscriptions) finish?.();
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
    const { directory } = this.#requests;
    const catalogue = directory.catalogue();
    return { servers: directory.servers.map((server) => offerOf(server, catalogue)) };
  }

  /** What of the server `name` clients do not see as it is, and why. */
  problems(name: string): readonly Problem[] {
    const { directory } = this.#requests;
    const server = directory.server(name);
    return server === undefined ? [] : problemsOf(server, directory.catalogue());
  }

  /** Takes a call; `reply` hears of it until its end. A repeated id is ignored. */
  call(call: Call, reply: Reply): void {
    if (this.#calls.has(call.id)) return;
    if (call.method === "ping") {
      reply.result("{}");
      return;
    }
    const { clock } = this.#context;
    const record = new CallRecord(this.#records, call);
    if (this.#calls.size >= MAX_CALLS) {
      this.#fail({ record, reply }, tooMany());
      return;
    }
    const ending = new AbortController();
    let accepted = false;
    const finish = call.method !== "subscriptions/listen" ? undefined : (): void => {
      record.answered(SUBSCRIPTION_ENDED.length, undefined);
      this.cancel(call.id, "The subscription has ended");
      reply.result(SUBSCRIPTION_ENDED);
    };
    const cancelDeadline = clock.after(
      call.deadlineMs,
      finish ?? (() => {
        const error = tooSlow(call.deadlineMs, accepted);
        record.failed(error);
        this.cancel(call.id, "Deadline");
        this.#fail({ record, reply }, error);
      }),
    );
    const entry: InFlight = {
      record,
      finish,
      withdraw: (reason) => {
        cancelDeadline();
        ending.abort(reason);
      },
    };
    this.#calls.set(call.id, entry);
    const end = (): void => {
      cancelDeadline();
      // After a cancel the id may belong to another call.
      if (this.#calls.get(call.id) === entry) this.#calls.delete(call.id);
      this.#checkIdle();
    };
    const own: Reply = {
      accepted: () => {
        record.accepted();
        // A server that was asked after another did not have it accepts a second time.
        if (!accepted) reply.accepted();
        accepted = true;
      },
      note: (note) => reply.note(note),
      result: (result, resultType) => {
        end();
        record.answered(result.length, resultType);
        reply.result(result, resultType);
      },
      error: (error, status) => (end(), reply.error(error, status)),
    };
    this.#serve(call, { record, reply: own }, ending.signal).catch((thrown: unknown) => {
      if (ending.signal.aborted) end();
      else this.#fail({ record, reply: own }, thrown);
    });
  }

  /** Nobody waits for the call any more: its server is told, and its reply hears nothing. */
  cancel(id: string, reason: string): void {
    const entry = this.#calls.get(id);
    this.#calls.delete(id);
    entry?.record.cancelled(reason);
    entry?.withdraw(reason);
    this.#checkIdle();
  }

  /** Cancels every call: the tunnel that they came by is gone. */
  cancelAll(reason: string): void {
    for (const id of this.#calls.keys()) this.cancel(id, reason);
  }

  /** Starts every server, so that its lists become known; one that fails does not stop the others. */
  async start(): Promise<void> {
    await Promise.allSettled(this.#servers().map(({ server }) => server.start()));
  }

  /**
   * From now on these are the servers. Requests under way stay with the ones that they were given: whoever
   * replaces a server stops it when it has none any more.
   */
  replace(servers: readonly GatewayServer[]): void {
    this.#requests.directory.replace(servers);
  }

  /** Stops every task and every server for good. */
  async stop(): Promise<void> {
    this.cancelAll("The runner is stopping");
    await this.#context.tasks?.stop();
    await Promise.allSettled(this.#servers().map(({ server }) => server.stop()));
  }

  #servers(): readonly GatewayServer[] {
    return this.#requests.directory.servers;
  }

  async #serve(call: Call, answer: Answerable, signal: AbortSignal): Promise<void> {
    const serve = METHODS.get(call.method);
    if (serve === undefined) throw new GatewayError("unknown_method", "Method not found");
    const params = readParams(call.params === "" ? "{}" : call.params);
    const trace = traceOf(params);
    answer.record.read(params, trace);
    checkUnambiguous(params.outline, "params");
    await serve(this.#requests, { ...answer, call, caller: callerOf(call), params, trace, signal });
  }

  #checkIdle(): void {
    if (this.#calls.size > 0) return;
    const waiting = this.#whenIdle;
    this.#whenIdle = [];
    for (const resolve of waiting) resolve();
  }

  #fail({ record, reply }: Answerable, thrown: unknown): void {
    const error = toGatewayError(thrown);
    record.failed(error);
    if (error.code === "internal") {
      this.#context.log("error", "A call failed inside the runner", {
        cause: error.cause instanceof Error ? error.cause.stack : String(error.cause),
      });
    }
    const told = this.#context.forOwner === true ? inFull(error) : error;
    reply.error(JSON.stringify(toRpcError(told)), STATUS.get(error.code));
  }
}

/** The error as its owner is told of it. */
function inFull({ code, message, executed, data }: GatewayError): GatewayError {
  return new GatewayError(code, message, { executed, data });
}
