/**
 * Tools of MCP 2025-11-25 that a server only runs as an experimental task (server/tools
 * "execution.taskSupport"): the runner makes the task and waits for its result, so that such tools are
 * called like any other.
 *
 * @module
 */
import * as v from "valibot";
import { toGatewayError } from "../../src/errors.ts";
import { MAX_SERVER_DEPTH, scan, spliceObject } from "../../src/mcp/scan.ts";
import type { Exchange, Withdraw } from "./exchange.ts";
import type { ListedEntry } from "./listed.ts";
import type { Lists } from "./lists.ts";
import { toLegacyParams } from "./params.ts";
import { IGNORED, type Listener, type Peer } from "./peer.ts";

/** Milliseconds for which a server is asked to keep a result. */
const TASK_TTL_MS = 60 * 60_000;

const RELATED_TASK_KEY = "io.modelcontextprotocol/related-task";

const taskTool = v.object({
  execution: v.object({ taskSupport: v.literal("required") }),
});

const created = v.object({ task: v.object({ taskId: v.string() }) });

/** Whether a tool is only run as a task. */
export function needsTask({ raw }: ListedEntry): boolean {
  // Hardly any tool has the word.
  return raw.includes('"taskSupport"') && v.is(taskTool, JSON.parse(raw));
}

/** The lists for clients that know nothing of tasks: tools that need one look like all others. */
export function withoutTaskSupport(lists: Lists): Lists {
  const entries = lists.tools.entries.map((entry) => {
    if (!needsTask(entry)) return entry;
    const outline = scan(entry.raw, { keep: 1, maxDepth: MAX_SERVER_DEPTH });
    return { ...entry, raw: spliceObject(entry.raw, outline, { execution: null }) };
  });
  return { ...lists, tools: { ...lists.tools, entries } };
}

/**
 * Has a task made of a call and waits for its result; progress comes under the id of the first request.
 * Throws as `Peer.send` does, and nothing has happened then.
 */
export function sendAsTask(
  peer: Peer,
  { method, params, trace }: Pick<Exchange, "method" | "params" | "trace">,
  listener: Listener,
): Withdraw {
  let first = 0;
  let withdraw = peer.send(method, (id) => asTask(toLegacyParams(params, first = id, trace)), {
    isCall: true,
    progress: (progress) => listener.progress(progress),
    error: (error) => listener.error(error),
    lost: (error) => listener.lost(error),
    result: (result, members) => {
      const taskId = taskIdOf(result);
      if (taskId === undefined) return listener.result(result, members);
      const stopProgress = peer.followProgress(first, listener);
      const giveUp = awaitTask(peer, taskId, {
        isCall: true,
        progress: () => {},
        result: (given) => {
          stopProgress();
          const own = withoutTask(given);
          listener.result(own, scan(own, { keep: 1, maxDepth: MAX_SERVER_DEPTH }).members);
        },
        error: (error) => (stopProgress(), listener.error(error)),
        lost: (error) => (stopProgress(), listener.lost(error)),
      });
      withdraw = (reason) => (stopProgress(), giveUp(reason));
    },
  });
  return (reason) => withdraw(reason);
}

/** Waits for the result of a task: `tasks/result` is answered when there is one. */
function awaitTask(peer: Peer, taskId: string, listener: Listener): Withdraw {
  const params = JSON.stringify({ taskId });
  try {
    const withdraw = peer.send("tasks/result", () => params, listener);
    return (reason) => {
      withdraw(reason);
      peer.ask("tasks/cancel", params, IGNORED);
    };
  } catch (thrown) {
    listener.lost(toGatewayError(thrown));
    return () => {};
  }
}

/** JSON text of the params of a call that is to become a task. */
function asTask(params: string): string {
  const outline = scan(params, { keep: 1, maxDepth: MAX_SERVER_DEPTH });
  return spliceObject(params, outline, { task: `{"ttl":${TASK_TTL_MS}}` });
}

/** The id of the task that a server has made; undefined if it answered in another way. */
function taskIdOf(result: string): string | undefined {
  const parsed = v.safeParse(created, JSON.parse(result));
  return parsed.success ? parsed.output.task.taskId : undefined;
}

/** The result of a task without the task's id, which means nothing to a client that made none. */
function withoutTask(result: string): string {
  const outline = scan(result, { keep: 2, maxDepth: MAX_SERVER_DEPTH });
  const meta = outline.members.get("_meta")?.value;
  if (meta?.members.has(RELATED_TASK_KEY) !== true) return result;
  const kept = spliceObject(result, meta, { [RELATED_TASK_KEY]: null });
  return spliceObject(result, outline, { _meta: kept === "{}" ? null : kept });
}
