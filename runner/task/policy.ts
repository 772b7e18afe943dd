import { matchesAny } from "../../src/policy/pattern.ts";
import type { TaskPolicy } from "../gateway/task-keeper.ts";

/** Which tools of one server make tasks, as patterns over the server's own tool names. */
export interface TaskRules {
  readonly auto: readonly string[];
  readonly required: readonly string[];
}

/** No tool makes tasks until somebody says so. */
export const NO_TASKS: TaskRules = { auto: [], required: [] };

/** Every tool makes a task when it is slow. */
export const ALL_AUTO: TaskRules = { auto: ["*"], required: [] };

/** What `rules` say of `tool`; `required` goes before `auto`. */
export function taskPolicy({ auto, required }: TaskRules, tool: string): TaskPolicy {
  if (matchesAny(required, tool)) return "required";
  return matchesAny(auto, tool) ? "auto" : "never";
}
