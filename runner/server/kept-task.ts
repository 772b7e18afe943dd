import * as v from "valibot";
import type { Member } from "../../src/mcp/scan.ts";
import { stringMember } from "../../src/mcp/scan.ts";
import type { Exchange } from "./exchange.ts";

/** Longest time in milliseconds for which a process is kept because a task of it may run. */
export const MAX_TASK_MS = 6 * 60 * 60_000;

/** Milliseconds for which it is kept after the task has ended: its result may be asked for again. */
export const ENDED_TASK_MS = 60_000;

const task = v.object({
  taskId: v.string(),
  status: v.optional(v.string(), "working"),
  ttlMs: v.optional(v.nullable(v.number())),
});

/** A task of a server (MCP 2026-07-28 tasks extension) and how long its process must stay. */
export interface KeptTask {
  readonly id: string;
  readonly ms: number;
}

/** The task that a result tells of; undefined if it tells of none. */
export function taskOf(result: string, members: ReadonlyMap<string, Member>): KeptTask | undefined {
  if (!members.has("taskId")) return undefined;
  const parsed = v.safeParse(task, JSON.parse(result));
  if (!parsed.success) return undefined;
  const { taskId, status, ttlMs } = parsed.output;
  const over = status === "completed" || status === "failed" || status === "cancelled";
  const ms = Math.min(ttlMs ?? MAX_TASK_MS, over ? ENDED_TASK_MS : MAX_TASK_MS);
  return { id: taskId, ms: Math.max(0, ms) };
}

/** The task that an exchange is about; undefined if it is about none. */
export function askedTask({ method, params }: Exchange): string | undefined {
  if (!method.startsWith("tasks/")) return undefined;
  return stringMember(params.text, params.outline, "taskId");
}
