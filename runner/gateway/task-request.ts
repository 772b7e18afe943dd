import { GatewayError } from "../../src/errors.ts";
import type { ExchangeMethod } from "../server/exchange.ts";
import { declaresTasks, tasksNotDeclared } from "../../src/mcp/tasks-extension.ts";
import { readTaskId } from "../task/request.ts";
import { withMembers } from "./own-params.ts";
import { relay } from "./relay.ts";
import type { GatewayRequest, RequestContext } from "./request.ts";

/** The requests about tasks. */
export type TaskMethod = Extract<ExchangeMethod, `tasks/${string}`>;

/**
 * Serves tasks/get, tasks/update and tasks/cancel: of the runner's own tasks, and of those that servers
 * keep themselves.
 *
 * @throws {GatewayError} what refuses it: `missing_capability`, `invalid_params`.
 */
export async function serveTask(
  context: RequestContext,
  request: GatewayRequest,
  method: TaskMethod,
): Promise<void> {
  const { tasks, taskIds, directory } = context;
  const { params, caller, reply, signal, record, trace } = request;
  if (!declaresTasks(caller)) throw tasksNotDeclared();
  const taskId = readTaskId(params);
  if (tasks?.owns(taskId)) {
    reply.accepted();
    const result = await tasks.request(method, params, caller);
    if (!signal.aborted) reply.result(result);
    return;
  }
  const task = taskIds.read(caller.client, taskId);
  const entry = task && directory.server(task.server);
  if (task === undefined || entry === undefined) {
    throw new GatewayError(
      "invalid_params",
      "Cannot find the task: it has expired or does not exist",
    );
  }
  record.routed(task.server);
  relay(context, request, {
    entry,
    exchange: {
      method,
      caller,
      params: withMembers(params, { taskId: JSON.stringify(task.own) }),
      trace,
      spent: record.spent,
    },
  });
}
