/**
 * Tools of MCP 2025-11-25 that a server only runs as an experimental task (server/tools
 * "execution.taskSupport"): the runner makes the task and waits for its result, so that such tools are
 * called like any other.
 *
 * @module
 */
import * as v from "valibot";
import { MAX_SERVER_DEPTH, scan, spliceObject } from "../../src/mcp/scan.ts";
import type { ListedEntry } from "./listed.ts";
import type { Lists } from "./lists.ts";

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

/** JSON text of the params of a call that is to become a task. */
export function asTask(params: string): string {
  const outline = scan(params, { keep: 1, maxDepth: MAX_SERVER_DEPTH });
  return spliceObject(params, outline, { task: `{"ttl":${TASK_TTL_MS}}` });
}

/** The id of the task that a server has made; undefined if it answered in another way. */
export function taskIdOf(result: string): string | undefined {
  const parsed = v.safeParse(created, JSON.parse(result));
  return parsed.success ? parsed.output.task.taskId : undefined;
}

/** The result of a task without the task's id, which means nothing to a client that made none. */
export function withoutTask(result: string): string {
  const outline = scan(result, { keep: 2, maxDepth: MAX_SERVER_DEPTH });
  const meta = outline.members.get("_meta")?.value;
  if (meta?.members.has(RELATED_TASK_KEY) !== true) return result;
  const kept = spliceObject(result, meta, { [RELATED_TASK_KEY]: null });
  return spliceObject(result, outline, { _meta: kept === "{}" ? null : kept });
}
