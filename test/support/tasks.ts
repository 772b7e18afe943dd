import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TaskCall, TaskPolicy } from "../../runner/gateway/task-keeper.ts";
import type { Exchange, ExchangeCaller, ExchangeListener } from "../../runner/server/exchange.ts";
import { readParams } from "../../runner/server/params.ts";
import { fileStore, type TaskStore } from "../../runner/task/store.ts";
import { Tasks } from "../../runner/task/tasks.ts";
import { GatewayError, toRpcError } from "../../src/errors.ts";
import { scan } from "../../src/mcp/scan.ts";
import { eventually } from "./eventually.ts";
import { type FakeClock, fakeClock } from "./fake-clock.ts";

/** The extension's id. */
export const EXTENSION = "io.modelcontextprotocol/tasks";

/** A client that declares the extension. */
export const ada: ExchangeCaller = {
  client: "ada",
  protocolVersion: "2026-07-28",
  capabilities: { extensions: { [EXTENSION]: {} } },
};

/** A client that does not. */
export const plain: ExchangeCaller = { ...ada, capabilities: {} };

/** An exchange that a test answers. */
export interface ControlledExchange {
  readonly exchange: Exchange;
  readonly listener: ExchangeListener;
  /** Reasons for which it was withdrawn. */
  readonly withdrawn: readonly string[];
  /** Answers with a result, given as JSON text. */
  result(text: string): void;
  /** Asks for input, given as JSON text of `inputRequests`. */
  ask(requests: string, state?: string): void;
}

/** A call, and what its caller hears of it. */
export interface TaskCallBench {
  readonly events: readonly string[];
  withdraw(reason: string): void;
  /** The CreateTaskResult, once it comes. */
  created(): Promise<Record<string, unknown> & { readonly taskId: string }>;
}

/** A task as `tasks/get` shows it. */
export interface ShownTask {
  readonly resultType: string;
  readonly taskId: string;
  readonly status: string;
  readonly statusMessage?: string;
  readonly lastUpdatedAt: string;
  readonly inputRequests?: Record<string, unknown>;
  readonly result?: Record<string, unknown>;
  readonly error?: { readonly code: number; readonly data?: Record<string, unknown> };
}

/** The tasks of one runner, with everything around them in a test's hands. */
export interface TaskBench {
  readonly tasks: Tasks;
  readonly clock: FakeClock;
  readonly log: readonly string[];
  readonly folder: string;
  readonly exchanges: readonly ControlledExchange[];
  /** The latest exchange, which must have begun. */
  readonly latest: ControlledExchange;
  call(
    policy: TaskPolicy,
    options?: { caller?: ExchangeCaller; input?: Exchange["input"] },
  ): TaskCallBench;
  /** A call that is a task from the start, whose exchange has begun. */
  newTask(caller?: ExchangeCaller): Promise<{ taskId: string; exchange: ControlledExchange }>;
  /** JSON text of what a `tasks/*` request is answered, or of its error. */
  request(method: string, params: unknown, caller?: ExchangeCaller): Promise<string>;
  get(taskId: string, caller?: ExchangeCaller): Promise<ShownTask>;
  /** Names of the files of tasks. */
  files(): Promise<string[]>;
}

/** What a test may decide of its bench. */
export interface TaskBenchOptions {
  /** An earlier bench's, to continue as its next run. */
  readonly folder?: string;
  readonly clock?: FakeClock;
  readonly owner?: string;
  readonly isAlive?: (owner: string) => Promise<boolean>;
  /** Changes the store. */
  readonly store?: (store: TaskStore) => TaskStore;
}

const folders: string[] = [];

/** Removes what all benches of a test file have written. */
export async function removeTaskFolders(): Promise<void> {
  await Promise.all(folders.map((folder) => rm(folder, { recursive: true, force: true })));
}

/** A folder for tasks that does not exist yet. */
export async function newTaskFolder(): Promise<string> {
  const parent = await mkdtemp(join(tmpdir(), "mcp-runner-tasks-"));
  folders.push(parent);
  return join(parent, "tasks");
}

/** Opens the tasks of the runner "r1", in a new folder unless given. */
export async function openTasks(options: TaskBenchOptions = {}): Promise<TaskBench> {
  const clock = options.clock ?? fakeClock();
  const folder = options.folder ?? await newTaskFolder();
  const log: string[] = [];
  const exchanges: ControlledExchange[] = [];
  const tasks = await Tasks.open({
    store: (options.store ?? ((it) => it))(fileStore(folder)),
    runner: "r1",
    owner: options.owner ?? "this process",
    isAlive: options.isAlive ?? (() => Promise.resolve(false)),
    clock,
    log: (level, message) => void log.push(`${level} ${message}`),
  });
  const bench: TaskBench = {
    tasks,
    clock,
    log,
    folder,
    exchanges,
    get latest() {
      const last = exchanges.at(-1);
      if (last === undefined) throw new Error("No exchange has begun");
      return last;
    },
    call(policy, { caller = ada, input } = {}) {
      const events: string[] = [];
      const exchange: Exchange = {
        method: "tools/call",
        params: readParams('{"name":"tool"}'),
        caller,
        ...(input && { input }),
      };
      const withdraw = tasks.call({ policy, exchange, ...controlled(exchanges) }, {
        accepted: () => void events.push("accepted"),
        note: (note) => void events.push(`note ${note}`),
        result: (result) => void events.push(`result ${result}`),
        inputRequired: (result, state) => void events.push(`input ${result} ${state}`),
        error: (error) => void events.push(`error ${error}`),
        failed: (error) => void events.push(`failed ${JSON.stringify(toRpcError(error))}`),
        created: (result) => void events.push(`created ${result}`),
      });
      return { events, withdraw, created: () => created(events) };
    },
    async newTask(caller = ada) {
      const { taskId } = await bench.call("required", { caller }).created();
      return { taskId, exchange: bench.latest };
    },
    async request(method, params, caller = ada) {
      try {
        return await tasks.request(method, readParams(JSON.stringify(params)), caller);
      } catch (error) {
        if (!(error instanceof GatewayError)) throw error;
        return JSON.stringify({ refused: error.code, ...toRpcError(error) });
      }
    },
    get: async (taskId, caller) =>
      JSON.parse(await bench.request("tasks/get", { taskId }, caller)) as ShownTask,
    files: () => readdir(folder),
  };
  return bench;
}

function controlled(exchanges: ControlledExchange[]): Pick<TaskCall, "run" | "finish"> {
  return {
    run(exchange, listener) {
      const withdrawn: string[] = [];
      exchanges.push({
        exchange,
        listener,
        withdrawn,
        result: (text) => listener.result(text, scan(text, { keep: 1, maxDepth: 64 }).members),
        ask: (requests, state) => listener.inputRequired(`{"inputRequests":${requests}}`, state),
      });
      return (reason) => void withdrawn.push(reason);
    },
    finish: (result, members) =>
      `{"resultType":"complete"${members.size === 0 ? "" : ","}${result.slice(1)}`,
  };
}

function created(events: readonly string[]): ReturnType<TaskCallBench["created"]> {
  return eventually("the call becomes a task", () => {
    const event = events.find((it) => it.startsWith("created "));
    return Promise.resolve(
      event === undefined ? undefined : JSON.parse(event.slice("created ".length)) as Awaited<
        ReturnType<TaskCallBench["created"]>
      >,
    );
  });
}
