/**
 * One request between a call and a server: the events of its exchange become the reply's, under the
 * names that callers see.
 *
 * @module
 */
import { GatewayError, toGatewayError } from "../../src/errors.ts";
import { claimsModern } from "../../src/mcp/revisions.ts";
import {
  MAX_SERVER_DEPTH,
  type Member,
  rawMember,
  scan,
  spliceObject,
} from "../../src/mcp/scan.ts";
import type { Exchange, ExchangeListener, Withdraw } from "../server/exchange.ts";
import { finalResult, isErrorResult, resultTypeOf, serverInfoMember } from "./final-result.ts";
import type { GatewayServer } from "./gateway-server.ts";
import { exchangeWith } from "./redaction.ts";
import type { GatewayRequest, RequestContext } from "./request.ts";
import { rewriteResultUris } from "./rewrite.ts";
import type { StateSubject } from "./request-state.ts";
import type { TaskCallListener } from "./task-keeper.ts";
import { exposeTaskId } from "./task-id.ts";

/** MCP 2026-07-28 basic/index "Error Codes": refuses the whole request wherever it arises. */
const MISSING_CAPABILITY = "-32021";

/** How a request is relayed. */
export interface RelayOptions {
  readonly entry: GatewayServer;
  readonly exchange: Exchange;
  /** What a state is bound to if the server asks for input, and the rounds so far. */
  readonly subject?: StateSubject;
  readonly round?: number;
  /** Carries the exchange out; the server itself unless given. */
  readonly send?: (listener: TaskCallListener) => Withdraw;
  /** Takes an error of the server; true if that was the end of it. */
  readonly refused?: (error: string) => boolean;
}

/** What is done to results of one server for one caller. */
export function finisher(
  { directory, taskIds }: RequestContext,
  { entry: { server: { name } }, exchange: { method, caller } }: RelayOptions,
): (result: string, members: ReadonlyMap<string, Member>) => ReturnType<typeof finalResult> {
  const modern = claimsModern(caller.protocolVersion);
  return (result, members) => {
    const final = modern
      ? finalResult(result, members, method)
      : { text: result, resultType: resultTypeOf(result, members) };
    const expose = directory.catalogue().uris.rewriting.get(name);
    let { text } = final;
    if (expose !== undefined) text = rewriteResultUris(text, expose);
    if (members.has("taskId") && (final.resultType === "task" || method.startsWith("tasks/"))) {
      text = exposeTaskId(text, (own) => taskIds.expose(caller.client, { server: name, own }));
    }
    return { ...final, text };
  };
}

/** Sends the exchange, and wires what comes of it to the reply. */
export function relay(
  context: RequestContext,
  request: GatewayRequest,
  options: RelayOptions,
): void {
  const { reply, record, signal, caller } = request;
  const { entry, exchange, subject, round = 0 } = options;
  const { server } = entry;
  const finish = finisher(context, options);
  /** What a server has written must not end more than its own call. */
  const guarded = (work: () => void): void => {
    try {
      work();
    } catch (thrown) {
      const { code } = toGatewayError(thrown);
      const ours = code === "server_failed" || code === "internal";
      context.fail(request, ours ? thrown : unreadable(server.name));
    }
  };
  const listener: TaskCallListener = {
    accepted: () => reply.accepted(),
    note: (note) => reply.note(note),
    result: (result, members) =>
      guarded(() => {
        const { text, resultType } = finish(result, members);
        // Questions come by `inputRequired`: the state in this one would be the server's own.
        if (resultType === "input_required") throw outOfPlace(server.name);
        if (isErrorResult(result, members)) record.toolFailed();
        if (resultType === "complete") reply.result(text);
        else reply.result(text, resultType);
      }),
    inputRequired: (result, inner) =>
      guarded(() => {
        if (subject === undefined) throw outOfPlace(server.name);
        const state = { server: server.name, round: round + 1, inner };
        reply.result(
          withState(result, context.states.give(subject, state), caller.protocolVersion),
          "input_required",
        );
      }),
    error: (error) =>
      guarded(() => {
        if (options.refused?.(error) === true) return;
        record.refusedByServer(error.length);
        const status = statusOf(error);
        if (status === undefined) reply.error(error);
        else reply.error(error, status);
      }),
    failed: (error) => context.fail(request, error),
    created: (result) => reply.result(result, "task"),
  };
  const send = options.send ?? ((to: ExchangeListener) => exchangeWith(entry, exchange, to));
  const withdraw = send(listener);
  signal.addEventListener("abort", () => withdraw(String(signal.reason)));
}

/** An InputRequiredResult with our state. */
function withState(result: string, state: string, protocolVersion: string): string {
  const outline = scan(result, { keep: 1, maxDepth: MAX_SERVER_DEPTH });
  const named = claimsModern(protocolVersion) && !outline.members.has("_meta");
  return spliceObject(result, outline, {
    resultType: '"input_required"',
    requestState: JSON.stringify(state),
    ...(named && { _meta: serverInfoMember() }),
  });
}

function outOfPlace(server: string): GatewayError {
  return new GatewayError(
    "server_failed",
    `Cannot go on with the request: server "${server}" asked for input where nobody can be asked`,
    { executed: "unknown" },
  );
}

function unreadable(server: string): GatewayError {
  return new GatewayError(
    "server_failed",
    `Cannot read the answer of server "${server}": it breaks the rules of JSON or is too deep`,
    { executed: "yes" },
  );
}

function statusOf(error: string): 400 | undefined {
  if (!error.includes(MISSING_CAPABILITY)) return undefined;
  const outline = scan(error, { keep: 1, maxDepth: MAX_SERVER_DEPTH });
  return rawMember(error, outline, "code") === MISSING_CAPABILITY ? 400 : undefined;
}
