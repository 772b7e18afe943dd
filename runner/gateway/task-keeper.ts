/**
 * What turns slow calls into tasks (MCP extension io.modelcontextprotocol/tasks, SEP-2663), as the
 * gateway sees it: it stands between the gateway and the exchanges of its servers.
 *
 *     tools/call ──▶ call()    ──▶ events of the exchange as usual, or created() and nothing more
 *     tasks/*    ──▶ request() ──▶ JSON text of the result
 *
 * @module
 */
import type { Exchange, ExchangeCaller, ExchangeListener, Withdraw } from "../server/exchange.ts";
import type { Member } from "../../src/mcp/scan.ts";
import type { Params } from "../server/params.ts";

/**
 * Whether calls of a tool become tasks for callers that declare the extension: never, when they are
 * slow, or always, and then others cannot call it at all.
 */
export type TaskPolicy = "never" | "auto" | "required";

/** A tools/call that may become a task. */
export interface TaskCall {
  /** Of the tool. `never` for servers that serve the extension themselves. */
  readonly policy: TaskPolicy;
  readonly exchange: Exchange;
  /**
   * Carries out one round. Whatever the gateway changes in events for the caller it changes here, so
   * that it holds for tasks too; only `requestState` is its own matter with input before the task.
   */
  readonly run: (exchange: Exchange, listener: ExchangeListener) => Withdraw;
  /** The result as it would go to the caller of an ordinary call: it is what the task will hold. */
  readonly finish: (result: string, members: ReadonlyMap<string, Member>) => string;
}

/** What a call hears. After one of the last four of `ExchangeListener`, or `created`, nothing more comes. */
export interface TaskCallListener extends ExchangeListener {
  /**
   * The call goes on as a task that can be asked for from now on: neither its deadline nor its
   * withdrawal means anything any more.
   *
   * @param result JSON text of the CreateTaskResult; its `resultType` is `task`.
   */
  created(result: string): void;
}

/** The tasks of a runner. */
export interface TaskKeeper {
  /** Tasks that still run; they are no calls in flight. */
  readonly running: number;
  /**
   * Carries out a call, as a task or not; never throws. Fails with `missing_capability` for a tool
   * that requires what the caller has not declared, and with `overloaded` when there is no room for
   * the task that it requires.
   */
  call(call: TaskCall, listener: TaskCallListener): Withdraw;
  /** Whether `taskId` has the form of one that this keeper gives; all others are of servers, or of nobody. */
  owns(taskId: string): boolean;
  /**
   * Answers `tasks/get`, `tasks/update` and `tasks/cancel`.
   *
   * @returns JSON text of the result, with its `resultType`.
   * @throws {GatewayError} `missing_capability` (HTTP 400) when the caller has not declared the
   * extension, `invalid_params` for params of another form, for a task that does not exist or has
   * expired and for one of somebody else in the same words, `unknown_method` for other methods.
   */
  request(method: string, params: Params, caller: ExchangeCaller): Promise<string>;
  /** Ends what runs and resolves when that is written; tasks that have ended stay readable for the next run. */
  stop(): Promise<void>;
}
