import { GatewayError } from "../../src/errors.ts";
import { type Outline, spliceObject, stringMember } from "../../src/mcp/scan.ts";
import type { GatewayServer } from "./gateway-server.ts";
import { withMembers } from "./own-params.ts";
import { relay } from "./relay.ts";
import type { GatewayRequest, RequestContext } from "./request.ts";
import { checkUnambiguous } from "./unambiguous.ts";

/** What a completion is for, at its server. */
interface Reference {
  readonly entry: GatewayServer;
  /** Member of `ref` that names it, and the server's own name for it. */
  readonly member: "name" | "uri";
  readonly own: string;
}

/**
 * Serves completion/complete: it may do what the prompt or resource template may that it is for.
 *
 * @throws {GatewayError} what refuses it: `invalid_params`, `unknown_tool`, `unknown_resource`, or why a
 * server could not be started.
 */
export async function serveCompletion(
  context: RequestContext,
  request: GatewayRequest,
): Promise<void> {
  const { params, caller, signal, record, trace } = request;
  const ref = params.outline.members.get("ref")?.value;
  if (ref !== undefined) checkUnambiguous(ref, "ref");
  const reference = ref && await find(context, request, ref);
  if (ref === undefined || reference === undefined) {
    throw new GatewayError(
      "invalid_params",
      "Cannot complete: params.ref must name a prompt (ref/prompt) or a template (ref/resource)",
    );
  }
  if (signal.aborted) return;
  const { entry, member, own } = reference;
  record.routed(entry.server.name, own);
  const changed = spliceObject(params.text, ref, { [member]: JSON.stringify(own) });
  relay(context, request, {
    entry,
    exchange: {
      method: "completion/complete",
      caller,
      params: withMembers(params, { ref: changed }),
      trace,
      spent: record.spent,
    },
  });
}

async function find(
  { directory }: RequestContext,
  { call, params: { text } }: GatewayRequest,
  ref: Outline,
): Promise<Reference | undefined> {
  const type = stringMember(text, ref, "type");
  const name = stringMember(text, ref, "name");
  if (type === "ref/prompt" && name !== undefined) {
    const { server: entry, entry: { key } } = await directory.named("prompts", name);
    return { entry, member: "name", own: key };
  }
  const uri = stringMember(text, ref, "uri");
  if (type !== "ref/resource" || uri === undefined) return undefined;
  const { server: entry, own } = await directory.template(uri, call.servers);
  return { entry, member: "uri", own };
}
