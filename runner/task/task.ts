/**
 * One task that runs: the exchanges with its server, one after the other when it asks for input, until
 * it has ended in one of three ways.
 *
 * @module
 */
import type { Clock } from "../../src/clock.ts";
import { GatewayError, toGatewayError, toRpcError } from "../../src/errors.ts";
import type { Log } from "../../src/log.ts";
import { MAX_SERVER_DEPTH, scan, stringMember } from "../../src/mcp/scan.ts";
import { MAX_PAYLOAD_LENGTH } from "../../src/tunnel/frame.ts";
import type { TaskCall } from "../gateway/task-keeper.ts";
import type { ExchangeListener, Input, Withdraw } from "../server/exchange.ts";
import { TaskInput } from "./input.ts";
import { type Ending, POLL_INTERVAL_MS, withoutRelatedTask } from "./record.ts";

/**
 * How long a task may run, in milliseconds, the waiting for answers included: far below its time to
 * live, so that a late result can still be fetched for most of a day.
 */
export const TASK_DEADLINE_MS = 6 * 3_600_000;

/** Longest result or questions, in UTF-16 code units: with the rest of the answer they fit a frame. */
const MAX_BODY_LENGTH = MAX_PAYLOAD_LENGTH - 64 * 1024;

/** What a task needs and whom it tells. */
export interface TaskContext {
  readonly call: TaskCall;
  readonly clock: Clock;
  readonly log: Log;
  /** It waits for input, or does no more. */
  readonly changed: () => void;
  /** It has ended; called once, and nothing follows. */
  readonly ended: (ending: Ending) => void;
}

/** A task that has not ended, and then does nothing more. */
export class Task {
  readonly #context: TaskContext;
  readonly #input = new TaskInput();
  readonly #cancelDeadline: () => void;
  #cancelPause: () => void = () => {};
  #withdraw: Withdraw = () => {};
  #over = false;

  /** What the exchange in hand tells. */
  readonly listener: ExchangeListener = {
    accepted: () => {},
    // MCP SEP-2663 has no progress and no log messages of tasks.
    note: () => {},
    result: (result, members) =>
      this.#guarded(() => {
        const finished = this.#context.call.finish(result, members);
        const body = members.has("_meta") ? withoutRelatedTask(finished) : finished;
        this.#end(
          body.length > MAX_BODY_LENGTH ? tooLarge("result") : { status: "completed", body },
        );
      }),
    inputRequired: (result, state) =>
      this.#guarded(() => {
        if (result.length > MAX_BODY_LENGTH) this.#end(tooLarge("question"));
        else this.#ask(result, state);
      }),
    error: (error) =>
      this.#guarded(() => this.#end({ status: "failed", ...messageOf(error), body: error })),
    failed: (error) => this.#fail(error),
  };

  constructor(context: TaskContext) {
    this.#context = context;
    this.#cancelDeadline = context.clock.after(TASK_DEADLINE_MS, () => {
      const hours = TASK_DEADLINE_MS / 3_600_000;
      this.end(
        failure(
          new GatewayError(
            "call_timeout",
            `The task did not end within ${hours} h: its tool may still have done its work`,
          ),
        ),
        "Deadline",
      );
    });
  }

  /** JSON text of the questions without an answer; undefined if there are none. */
  get requests(): string | undefined {
    return this.#input.requests;
  }

  /** Begins its first exchange. */
  start(): void {
    // The runner may have been stopped meanwhile, here and below.
    if (!this.#over) this.#run();
  }

  /** Takes over an exchange that runs already. */
  adopt(withdraw: Withdraw): void {
    if (this.#over) withdraw("The task has ended");
    else this.#withdraw = withdraw;
  }

  /** Takes answers by key, JSON text each; the last one that is missing lets the task go on. */
  answer(responses: ReadonlyMap<string, string>): void {
    if (this.#over || !this.#input.answer(responses)) return;
    this.#context.changed();
    this.#run(this.#input.input);
  }

  /** Ends it from outside, whatever its server does later. */
  end(ending: Ending, reason: string): void {
    if (this.#over) return;
    this.#end(ending);
    this.#withdraw(reason);
  }

  /** Ends it without a word: nobody has heard of it. */
  discard(): void {
    this.#over = true;
    this.#cancelDeadline();
    this.#cancelPause();
  }

  #run(input?: Input): void {
    const { exchange, run } = this.#context.call;
    const patient = { ...exchange, patienceMs: () => TASK_DEADLINE_MS };
    this.#guarded(() => {
      this.#withdraw = run(input === undefined ? patient : { ...patient, input }, this.listener);
    });
  }

  #ask(result: string, state: string | undefined): void {
    if (this.#over) return;
    this.#input.ask(result, state);
    this.#context.changed();
    if (this.#input.waiting) return;
    // Only a state: the server wants to be called again, and nobody has to be asked.
    this.#cancelPause = this.#context.clock.after(
      POLL_INTERVAL_MS,
      () => this.#run(this.#input.input),
    );
  }

  #end(ending: Ending): void {
    if (this.#over) return;
    this.#over = true;
    this.#cancelDeadline();
    this.#cancelPause();
    this.#context.ended(ending);
  }

  #fail(error: GatewayError): void {
    if (error.code === "internal") {
      this.#context.log("error", "A task failed inside the runner", {
        cause: error.cause instanceof Error ? error.cause.stack : String(error.cause),
      });
    }
    this.#end(failure(error));
  }

  /** What a server has written must not end more than its own task. */
  #guarded(work: () => void): void {
    try {
      work();
    } catch (thrown) {
      const error = toGatewayError(thrown);
      const ours = error.code === "server_failed" || error.code === "internal";
      this.#fail(ours ? error : unreadable(thrown));
    }
  }
}

/** The end of a task that could not be carried out. */
export function failure(error: GatewayError): Ending {
  return {
    status: "failed",
    statusMessage: error.brief ?? error.message,
    body: JSON.stringify(toRpcError(error)),
  };
}

function unreadable(cause: unknown): GatewayError {
  return new GatewayError(
    "server_failed",
    "Cannot read the answer of the tool: it breaks the rules of JSON or is too deep",
    { cause, executed: "yes" },
  );
}

function tooLarge(what: string): Ending {
  return failure(
    new GatewayError(
      "result_too_large",
      `The ${what} of the tool is longer than ${MAX_BODY_LENGTH} characters: ask it for less`,
    ),
  );
}

/** What a server's JSON-RPC error says, for people. */
function messageOf(error: string): Pick<Ending, "statusMessage"> {
  const outline = scan(error, { keep: 1, maxDepth: MAX_SERVER_DEPTH });
  const statusMessage = stringMember(error, outline, "message");
  return statusMessage === undefined ? {} : { statusMessage };
}
