import { GatewayError } from "../../src/errors.ts";
import { claimsModern } from "../../src/mcp/revisions.ts";
import { rawMember, stringMember } from "../../src/mcp/scan.ts";
import type { Exchange } from "../server/exchange.ts";
import { taskPolicy } from "../task/policy.ts";
import type { NamedTarget } from "./name-table.ts";
import { withMembers } from "./own-params.ts";
import { checkParamHeaders } from "./param-header.ts";
import { exchangeWith } from "./redaction.ts";
import { finisher, relay, type RelayOptions } from "./relay.ts";
import type { GatewayRequest, RequestContext } from "./request.ts";
import { resume } from "./resume.ts";
import { withoutRetry } from "./retry.ts";

/**
 * Serves tools/call and prompts/get.
 *
 * @throws {GatewayError} what refuses it: `invalid_params`, `unknown_tool`, `header_mismatch`,
 * `state_invalid`, or why the server could not be started.
 */
export async function serveNamed(
  context: RequestContext,
  request: GatewayRequest,
  method: "tools/call" | "prompts/get",
): Promise<void> {
  const { params, call, caller, signal, record, trace } = request;
  const [list, what] = method === "tools/call"
    ? ["tools", "call a tool"] as const
    : ["prompts", "get a prompt"] as const;
  const name = stringMember(params.text, params.outline, "name");
  if (name === undefined) {
    throw new GatewayError("invalid_params", `Cannot ${what}: params.name is missing`);
  }
  const target = await context.directory.named(list, name);
  const { server: { server }, entry: { key } } = target;
  record.routed(server.name, key);
  if (signal.aborted) return;
  const args = rawMember(params.text, params.outline, "arguments");
  if (claimsModern(caller.protocolVersion)) {
    checkParamHeaders(target.headers, args, call.paramHeaders ?? {});
  }
  const subject = { client: caller.client, method, name, args };
  const { input, round } = resume(context, params, { subject, servers: [server.name] });
  const changes = withoutRetry(params);
  if (key !== name) changes["name"] = JSON.stringify(key);
  const exchange: Exchange = {
    method,
    caller,
    params: Object.keys(changes).length === 0 ? params : withMembers(params, changes),
    trace,
    spent: record.spent,
    ...(input !== undefined && { input }),
  };
  const options: RelayOptions = { entry: target.server, exchange, subject, round };
  relay(context, request, method === "tools/call" ? asTask(context, target, options) : options);
}

/** The call as one that may become a task, if that is wanted of the tool. */
function asTask(
  context: RequestContext,
  { server: entry, entry: { key } }: NamedTarget,
  options: RelayOptions,
): RelayOptions {
  const { server, tasks } = entry;
  const policy = server.lists?.tasks === true ? "never" : taskPolicy(tasks, key);
  const keeper = context.tasks;
  if (keeper === undefined || policy === "never") return options;
  const finish = finisher(context, options);
  return {
    ...options,
    send: (listener) =>
      keeper.call({
        policy,
        exchange: options.exchange,
        run: (exchange, to) => exchangeWith(entry, exchange, to),
        finish: (result, members) => finish(result, members).text,
      }, listener),
  };
}
