import { GatewayError } from "../../src/errors.ts";
import { stringMember } from "../../src/mcp/scan.ts";
import type { Params } from "../server/params.ts";

/**
 * The task that a `tasks/*` request is about.
 *
 * @throws {GatewayError} `invalid_params` without one.
 */
export function readTaskId({ text, outline }: Params): string {
  const taskId = stringMember(text, outline, "taskId");
  if (taskId === undefined) {
    throw new GatewayError("invalid_params", "Cannot find the task: params.taskId is missing");
  }
  return taskId;
}

/**
 * The answers of a `tasks/update` by key, JSON text each.
 *
 * @throws {GatewayError} `invalid_params` when `inputResponses` is no object of objects.
 */
export function readUpdate({ text, outline }: Params): ReadonlyMap<string, string> {
  const responses = outline.members.get("inputResponses")?.value;
  const members = [...responses?.members ?? []];
  if (responses?.kind !== "object" || members.some(([, { value }]) => value.kind !== "object")) {
    throw new GatewayError(
      "invalid_params",
      "Cannot update the task: params.inputResponses must be an object with an object for each key",
    );
  }
  return new Map(members.map(([key, { value }]) => [key, text.slice(value.start, value.end)]));
}
