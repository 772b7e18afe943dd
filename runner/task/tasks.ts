/**
 * The tasks of a runner: made from calls, asked for by whoever called, kept on disk until their time
 * is over.
 *
 * @module
 */
import { randomBytes } from "node:crypto";
import type { Clock } from "../../src/clock.ts";
import { GatewayError } from "../../src/errors.ts";
import type { Log } from "../../src/log.ts";
import { stickTo, unstick } from "../../src/mcp/sticky.ts";
import type { TaskCall, TaskCallListener, TaskKeeper } from "../gateway/task-keeper.ts";
import type { ExchangeCaller, Withdraw } from "../server/exchange.ts";
import type { Params } from "../server/params.ts";
import { declaresTasks, tasksNotDeclared } from "../../src/mcp/tasks-extension.ts";
import { type Kept, KeptTasks } from "./kept.ts";
import { callAsTask, callOrTask, type CreatedTask } from "./promotion.ts";
import {
  createResult,
  endedRecord,
  type Ending,
  getResult,
  TASK_ID,
  type TaskRecord,
  TTL_MS,
} from "./record.ts";
import { readTaskId, readUpdate } from "./request.ts";
import type { TaskStore } from "./store.ts";
import { failure, Task } from "./task.ts";

/** Most tasks that run at a time, as many as calls. */
export const MAX_RUNNING = 256;

const ACKNOWLEDGED = '{"resultType":"complete"}';

/** What tasks need of their runner. */
export interface TasksContext {
  readonly store: TaskStore;
  /** Id of the runner, which task ids begin with. */
  readonly runner: string;
  /** Id of this process as `Owner.id`. */
  readonly owner: string;
  /** Whether the process with another owner id may live, and its tasks with it. */
  readonly isAlive: (owner: string) => Promise<boolean>;
  readonly clock: Clock;
  readonly log: Log;
}

/** The keeper of tasks whose store is opened. */
export class Tasks implements TaskKeeper {
  readonly #context: TasksContext;
  readonly #kept: KeptTasks;

  private constructor(context: TasksContext) {
    this.#context = context;
    this.#kept = new KeptTasks(context);
  }

  /**
   * Opens the tasks of earlier runs. Those that a runner left in the middle have failed: whether
   * their tools ran is not known.
   *
   * @throws {GatewayError} `store_unavailable` when they cannot be read or written.
   */
  static async open(context: TasksContext): Promise<Tasks> {
    const tasks = new Tasks(context);
    try {
      for (const { record, bytes } of await context.store.load(context.clock.now())) {
        await tasks.#inherit(record, bytes);
      }
    } catch (cause) {
      throw new GatewayError(
        "store_unavailable",
        "Cannot open the tasks of earlier runs: their folder cannot be read or written",
        { cause },
      );
    }
    return tasks;
  }

  get running(): number {
    return this.#kept.running.length;
  }

  call(call: TaskCall, listener: TaskCallListener): Withdraw {
    const { policy, exchange, run } = call;
    if (!declaresTasks(exchange.caller)) {
      if (policy !== "required") return run(exchange, listener);
      listener.failed(tasksNotDeclared());
      return () => {};
    }
    if (policy === "never") return run(exchange, listener);
    const create = (it: TaskCall): Promise<CreatedTask> => this.#create(it);
    if (policy === "required") return callAsTask(call, listener, { create });
    return callOrTask(call, listener, {
      clock: this.#context.clock,
      create,
      refused: (reason) =>
        this.#context.log("warn", "A slow call could not become a task", {
          cause: String(reason),
        }),
    });
  }

  owns(taskId: string): boolean {
    return TASK_ID.test(unstick(this.#context.runner, taskId) ?? "");
  }

  async request(method: string, params: Params, caller: ExchangeCaller): Promise<string> {
    if (!/^tasks\/(?:get|update|cancel)$/.test(method)) {
      throw new GatewayError("unknown_method", "Method not found");
    }
    if (!declaresTasks(caller)) throw tasksNotDeclared();
    const taskId = readTaskId(params);
    const kept = this.#kept.get(unstick(this.#context.runner, taskId) ?? "");
    if (kept === undefined || kept.record.client !== caller.client) throw unknownTask();
    if (method === "tasks/get") return await this.#show(kept, taskId);
    if (method === "tasks/cancel") await cancel(kept);
    else {
      const answers = readUpdate(params);
      kept.task?.answer(answers);
    }
    return ACKNOWLEDGED;
  }

  async stop(): Promise<void> {
    for (const task of this.#kept.running) task.end(failure(stopped()), "The runner is stopping");
    await this.#kept.close();
  }

  async #show(kept: Kept, taskId: string): Promise<string> {
    await kept.ending;
    const { record, task } = kept;
    if (task !== undefined) return getResult(taskId, record, { inputRequests: task.requests });
    const body = kept.body ?? await this.#context.store.body(record.id);
    if (body === undefined) throw unknownTask();
    return getResult(taskId, record, { body });
  }

  async #create(call: TaskCall): Promise<CreatedTask> {
    const { store, runner, clock, log } = this.#context;
    const record = this.#newRecord(call.exchange.caller.client);
    if (this.running >= MAX_RUNNING || !this.#kept.makeRoom(record.client, 1)) throw noRoom();
    const kept: Kept = { record, bytes: 0 };
    const task = new Task({
      call,
      clock,
      log,
      changed: () => void (kept.record = { ...kept.record, updatedAt: clock.now() }),
      ended: (ending) => void (kept.ending = this.#settle(kept, ending)),
    });
    kept.task = task;
    const discard = (): void => {
      task.discard();
      this.#kept.drop(kept);
    };
    this.#kept.add(kept);
    try {
      kept.bytes = await store.write(record, "");
    } catch (cause) {
      discard();
      throw new GatewayError(
        "store_unavailable",
        "Cannot make a task: the runner cannot write it to its disk",
        { cause },
      );
    }
    return { task, discard, result: createResult(stickTo(runner, record.id), record) };
  }

  #newRecord(client: string): TaskRecord {
    const { owner, clock } = this.#context;
    const now = clock.now();
    const id = `task_${randomBytes(16).toString("hex")}`;
    const times = { createdAt: now, updatedAt: now, ttlMs: TTL_MS };
    return { version: 1, id, owner, client, status: "working", ...times };
  }

  /** Writes the end of a task, and shows it only then: what a client has seen stays so after a crash. */
  async #settle(kept: Kept, ending: Ending): Promise<void> {
    const { store, clock, log } = this.#context;
    const record = endedRecord(kept.record, ending, clock.now());
    try {
      kept.bytes = await store.write(record, ending.body);
    } catch (error) {
      kept.body = ending.body;
      log("warn", "The end of a task could not be written: it is lost when the runner stops", {
        cause: String(error),
      });
    }
    kept.record = record;
    delete kept.task;
    this.#kept.makeRoom(record.client, 0);
  }

  async #inherit(record: TaskRecord, bytes: number): Promise<void> {
    const { store, clock, owner, isAlive } = this.#context;
    if (this.#kept.isExpired(record)) return await store.remove(record.id);
    if (record.status !== "working") return this.#kept.add({ record, bytes });
    // Another runner of this user may be at it, and will write how it ends.
    if (record.owner !== owner && await isAlive(record.owner)) return;
    const lost = failure(restarted());
    const ended = endedRecord(record, lost, clock.now());
    this.#kept.add({ record: ended, bytes: await store.write(ended, lost.body) });
  }
}

async function cancel(kept: Kept): Promise<void> {
  const reason = "Cancelled by the client";
  kept.task?.end({ status: "cancelled", statusMessage: reason, body: "" }, reason);
  await kept.ending;
}

/** The same words for a task that never was, has expired, or belongs to somebody else. */
function unknownTask(): GatewayError {
  return new GatewayError(
    "invalid_params",
    "Cannot find the task: it has expired or does not exist",
  );
}

function noRoom(): GatewayError {
  return new GatewayError(
    "overloaded",
    "The runner has as many tasks as it takes: cancel one or try again later",
  );
}

function stopped(): GatewayError {
  return new GatewayError(
    "runner_lost",
    "The runner stopped while the task was running: its tool may have done its work",
  );
}

function restarted(): GatewayError {
  return new GatewayError(
    "runner_lost",
    "The runner restarted while the task was running: its tool may have done its work",
  );
}
