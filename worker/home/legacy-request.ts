/**
 * The requests that a legacy client may send within a session, by their methods.
 *
 * @module
 */
import * as v from "valibot";
import { GatewayError, toGatewayError, toRpcError } from "../../src/errors.ts";
import { logLevel } from "../../src/mcp/log-level.ts";
import { MAX_URI_LENGTH, unknownResource } from "../../src/mcp/name.ts";
import type { Caller } from "../front/caller.ts";
import { RESOURCE_NOT_FOUND } from "./call-error.ts";
import type { Home } from "./home.ts";
import { callInSession, metaOf, type Outcome, type Outlet } from "./legacy-call.ts";
import { listOf } from "./listing.ts";
import type { ClientMessage } from "./message.ts";
import type { Session } from "./session.ts";
import type { Sources } from "./session-listener.ts";
import { servedUris } from "./target.ts";

/** Methods that a runner answers. */
const RELAYED: ReadonlySet<string> = new Set([
  "tools/call",
  "prompts/get",
  "resources/read",
  "completion/complete",
]);

/** One request within a session. */
export interface SessionRequest {
  readonly home: Home;
  readonly session: Session;
  readonly caller: Caller;
  readonly message: ClientMessage;
  /** JSON text of the request's id. */
  readonly id: string;
}

/** The whole JSON-RPC response to a request; never rejects. */
export async function respond(request: SessionRequest, outlet: Outlet): Promise<string> {
  const { home, id } = request;
  let outcome: Outcome;
  try {
    outcome = await outcomeOf(request, outlet);
  } catch (thrown) {
    const error = toGatewayError(thrown);
    if (error.code === "internal") home.report(error);
    const { code, ...rest } = toRpcError(error);
    const told = error.code === "unknown_resource" ? RESOURCE_NOT_FOUND : code;
    outcome = { error: JSON.stringify({ code: told, ...rest }) };
  }
  // In band whatever it is: in these revisions a 404 tells the client that its session has ended.
  return "error" in outcome
    ? `{"jsonrpc":"2.0","id":${id},"error":${outcome.error}}`
    : `{"jsonrpc":"2.0","id":${id},"result":${outcome.result}}`;
}

/** Where the listener of a session hears of things. */
export function sourcesOf(home: Home, session: Session, caller: Caller): Sources {
  const { runners, dispatch, changes } = home;
  return { runners, dispatch, changes, caller, meta: metaOf(session) };
}

async function outcomeOf(request: SessionRequest, outlet: Outlet): Promise<Outcome> {
  const { home, session, caller, message, id } = request;
  const { method, params } = message;
  if (RELAYED.has(method)) {
    return callInSession(home.dispatch, session, { call: { id, method, params, caller }, outlet });
  }
  const list = listOf(method);
  if (list !== undefined) {
    const cursor = message.rawParam("cursor");
    return { result: await home.list({ list, cursor, caller, era: "legacy" }) };
  }
  switch (method) {
    case "ping":
      break;
    case "logging/setLevel":
      await setLevel(request);
      break;
    case "resources/subscribe":
      await subscribe(request);
      break;
    case "resources/unsubscribe":
      await unsubscribe(request);
      break;
    default:
      throw new GatewayError("unknown_method", "Method not found");
  }
  return { result: "{}" };
}

async function setLevel({ home, session, message }: SessionRequest): Promise<void> {
  const level = v.safeParse(logLevel, message.param("level"));
  if (!level.success) {
    throw new GatewayError(
      "invalid_params",
      `Cannot set the log level: params.level is none of ${logLevel.options.join(", ")}`,
    );
  }
  session.logLevel = level.output;
  await home.sessions.save(session);
}

async function subscribe({ home, session, caller, message }: SessionRequest): Promise<void> {
  const uri = uriOf(message);
  const served = await servedUris(home.runners, [uri], caller.tools);
  if (served.length === 0) throw unknownResource(uri);
  if (session.listener.subscribe(uri, sourcesOf(home, session, caller))) {
    await home.sessions.save(session);
  }
}

async function unsubscribe({ home, session, caller, message }: SessionRequest): Promise<void> {
  if (session.listener.unsubscribe(uriOf(message), sourcesOf(home, session, caller))) {
    await home.sessions.save(session);
  }
}

function uriOf(message: ClientMessage): string {
  const uri = message.param("uri");
  if (uri !== undefined && uri.length <= MAX_URI_LENGTH) return uri;
  throw new GatewayError(
    "invalid_params",
    `Cannot subscribe: params.uri is missing, or longer than ${MAX_URI_LENGTH} characters`,
  );
}
