/**
 * What the call log will say of one call, gathered on its way. However it ends, and however often somebody
 * says that it has, it is written once.
 *
 * @module
 */
import type { Call } from "../../src/call.ts";
import type { Clock } from "../../src/clock.ts";
import type { ErrorCode, Executed, GatewayError } from "../../src/errors.ts";
import type { CallEvent, Outcome, RefusalEvent, Stages } from "../journal/event.ts";
import type { Journal } from "../journal/journal.ts";
import { shapeOf } from "../journal/shape.ts";
import type { Spent } from "../server/exchange.ts";
import type { Params } from "../server/params.ts";
import type { Trace } from "../server/trace-context.ts";
import { deniedBy } from "./denial.ts";
import type { GatewayServer } from "./gateway-server.ts";
import { requestedName, withoutQuery } from "./requested-name.ts";

/** Failures by which a rule or a limit keeps a call from its server; all others are those of the server. */
const REFUSALS: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  "malformed_json",
  "invalid_request",
  "too_deep",
  "header_mismatch",
  "missing_capability",
  "unknown_method",
  "unknown_tool",
  "unknown_resource",
  "state_invalid",
  "invalid_params",
  "overloaded",
  "not_approved",
  "image_changed",
  "image_untrusted",
  "address_refused",
]);

/** What records are made with. */
export interface RecordContext {
  readonly journal: Journal;
  readonly clock: Clock;
  /** Those that a call may name. */
  readonly servers: () => readonly GatewayServer[];
}

/** The record of one call. */
export class CallRecord {
  /** Filled in by those who let it wait. */
  readonly spent: Spent = { queueMs: 0, startMs: 0 };
  readonly #context: RecordContext;
  readonly #call: Call;
  readonly #begunAt: number;
  #acceptedAt: number | undefined;
  #params: Params | undefined;
  #trace: Trace | undefined;
  #server: string | undefined;
  #target: string | undefined;
  #toolError = false;
  #over = false;

  constructor(context: RecordContext, call: Call) {
    this.#context = context;
    this.#call = call;
    this.#begunAt = context.clock.now();
  }

  /** What was asked, and in which trace. */
  read(params: Params, trace: Trace): void {
    this.#params = params;
    this.#trace = trace;
  }

  /** A server was found for it; `target` is its own name or URI for what is asked for. */
  routed(server: string, target?: string): void {
    this.#server = server;
    this.#target = target && withoutQuery(target);
  }

  /** The server got it. */
  accepted(): void {
    this.#acceptedAt ??= this.#context.clock.now();
  }

  /** The result that comes next is one with `isError`. */
  toolFailed(): void {
    this.#toolError = true;
  }

  /** It ended with a result of `size` characters. */
  answered(size: number, resultType: string | undefined): void {
    if (resultType === "input_required" || resultType === "task") {
      this.#end({ outcome: resultType, executed: "unknown", size });
    } else this.#end({ outcome: this.#toolError ? "tool_error" : "ok", executed: "yes", size });
  }

  /** It ended with a JSON-RPC error of its server. */
  refusedByServer(size: number): void {
    this.#end({ outcome: "error", executed: "unknown", size });
  }

  /** It ended with an error of ours. */
  failed({ code, message, executed }: GatewayError): void {
    // The message of this one repeats the whole URI.
    const said = code === "unknown_resource" ? "Unknown resource" : message;
    if (!REFUSALS.has(code) || executed !== "no") {
      this.#end({ outcome: "failed", executed, code, message: said });
      return;
    }
    this.#write(() => {
      const by = code === "unknown_tool" || code === "unknown_resource"
        ? this.#deniedBy()
        : undefined;
      this.#server ??= by;
      const denied = by === undefined ? {} : { denied: true } as const;
      return { type: "refusal", ...this.#facts(), code, message: said, ...denied };
    });
  }

  /** Nobody waits for it any more. */
  cancelled(reason: string): void {
    const executed = this.#acceptedAt === undefined ? "no" : "unknown";
    this.#end({ outcome: "cancelled", executed, message: reason });
  }

  #end(end: {
    readonly outcome: Outcome;
    readonly executed: Executed;
    readonly size?: number;
    readonly code?: string;
    readonly message?: string;
  }): void {
    this.#write(() => ({ type: "call", ...this.#facts(), ...end }));
  }

  #write(event: () => CallEvent | RefusalEvent): void {
    if (this.#over) return;
    this.#over = true;
    const made = event();
    const params = this.#params;
    this.#params = undefined;
    const args = params?.outline.members.get("arguments")?.value;
    this.#context.journal.write(made, args && params && (() => shapeOf(params.text, args)));
  }

  #deniedBy(): string | undefined {
    const { method, servers } = this.#call;
    const params = this.#params;
    return params && deniedBy(this.#context.servers(), { method, params, within: servers });
  }

  #facts(): Omit<CallEvent, "type" | "outcome" | "executed" | "args"> {
    const { id, caller, method } = this.#call;
    return {
      call: id,
      client: caller.client,
      method,
      server: this.#server,
      tool: this.#target ?? requestedName(method, this.#params),
      ms: this.#stages(),
      trace: this.#trace?.id,
    };
  }

  #stages(): Stages {
    const now = this.#context.clock.now();
    const { queueMs, startMs } = this.spent;
    return {
      queue: queueMs,
      start: startMs,
      server: this.#acceptedAt === undefined ? 0 : now - this.#acceptedAt,
      total: now - this.#begunAt,
    };
  }
}
