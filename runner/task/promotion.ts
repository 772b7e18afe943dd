/**
 * A tools/call on its way to becoming a task: an ordinary call until it has proved slow, or a task
 * from the start.
 *
 * @module
 */
import type { Clock } from "../../src/clock.ts";
import { toGatewayError } from "../../src/errors.ts";
import type { TaskCall, TaskCallListener } from "../gateway/task-keeper.ts";
import type { ExchangeListener, Withdraw } from "../server/exchange.ts";
import { type Task, TASK_DEADLINE_MS } from "./task.ts";

/**
 * How long a tool may take before its call becomes a task, in milliseconds from when its server has
 * the call. What answers in less gains nothing from being polled for.
 */
export const SLOW_MS = 500;

/**
 * The same for a server that has to be started first, in milliseconds from the call: most are ready
 * sooner, and who waits for an image to be fetched should not do so with an open request.
 */
export const COLD_MS = 5_000;

/** A task that was made, durable, and its CreateTaskResult as JSON text. */
export interface CreatedTask {
  readonly task: Task;
  readonly result: string;
  /** Undoes it: nobody knows of it. */
  discard(): void;
}

/** How calls become tasks. */
export interface Promotion {
  readonly clock: Clock;
  /** Makes the task of a call; rejects when there is no room for it or it cannot be written. */
  readonly create: (call: TaskCall) => Promise<CreatedTask>;
  /** Called when a slow call has to stay a call. */
  readonly refused: (reason: unknown) => void;
}

/** Makes a task, then begins its work: if there can be no task, nothing has run. */
export function callAsTask(
  call: TaskCall,
  listener: TaskCallListener,
  { create }: Pick<Promotion, "create">,
): Withdraw {
  let withdrawn = false;
  create(call).then(
    ({ task, result, discard }) => {
      if (withdrawn) return discard();
      listener.created(result);
      task.start();
    },
    (error: unknown) => {
      if (!withdrawn) listener.failed(toGatewayError(error));
    },
  );
  return () => {
    withdrawn = true;
  };
}

/** Begins a call, and makes a task of it if it has not ended in time. */
export function callOrTask(
  call: TaskCall,
  listener: TaskCallListener,
  { clock, create, refused }: Promotion,
): Withdraw {
  let phase: "waiting" | "writing" | "decided" = "waiting";
  let withdrawn = false;
  let to: ExchangeListener = listener;
  /** The exchange's end, if it comes while the task is written. */
  let held: ((to: ExchangeListener) => void) | undefined;

  const decide = (listenerOfRest: ExchangeListener): void => {
    phase = "decided";
    to = listenerOfRest;
    held?.(to);
  };
  const become = (): void => {
    phase = "writing";
    create(call).then(
      ({ task, result, discard }) => {
        if (withdrawn) return discard();
        task.adopt(withdrawExchange);
        listener.created(result);
        decide(task.listener);
      },
      (error: unknown) => {
        if (withdrawn) return;
        refused(error);
        decide(listener);
      },
    );
  };
  let cancelTimer = clock.after(COLD_MS, become);

  const end = (tell: (to: ExchangeListener) => void): void => {
    if (phase === "writing") {
      held = tell;
      return;
    }
    phase = "decided";
    cancelTimer();
    tell(to);
  };
  // A task waits for its client as long as it lives, a call only as long as a person does.
  const patienceMs = (): number | undefined => to === listener ? undefined : TASK_DEADLINE_MS;
  const withdrawExchange = call.run({ ...call.exchange, patienceMs }, {
    accepted() {
      if (phase === "waiting") {
        cancelTimer();
        cancelTimer = clock.after(SLOW_MS, become);
      }
      to.accepted();
    },
    note: (note) => to.note(note),
    result: (result, members) => end((it) => it.result(result, members)),
    inputRequired: (result, state) => end((it) => it.inputRequired(result, state)),
    error: (error) => end((it) => it.error(error)),
    failed: (error) => end((it) => it.failed(error)),
  });

  return (reason) => {
    // Once it is a task, the end of its call means nothing to it.
    if (phase === "decided" && to !== listener) return;
    withdrawn = true;
    cancelTimer();
    withdrawExchange(reason);
  };
}
