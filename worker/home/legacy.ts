/**
 * The legacy era at the home (MCP 2025-11-25 and before, basic/transports "Streamable HTTP"): what the
 * HTTP methods do, for a client that has initialized a session or is about to.
 *
 *     POST    initialize → a session; a message or a batch of it → legacy-request.ts → session-answer.ts
 *     GET     a connection to a stream of the session: session-streams.ts
 *     DELETE  the session's end
 *
 * @module
 */
import { GatewayError, toRpcError } from "../../src/errors.ts";
import { SESSION_HEADER, VERSION_HEADER } from "../../src/mcp/header.ts";
import { isLegacyRevision, LATEST_LEGACY_REVISION } from "../../src/mcp/revisions.ts";
import { errorResponse, resultResponse } from "./answer.ts";
import { readCapabilities } from "./client-capabilities.ts";
import type { Home } from "./home.ts";
import { instructionsFor, legacyCapabilities, SERVER_INFO } from "./introduction.ts";
import { respond, sourcesOf } from "./legacy-request.ts";
import type { ClientMessage } from "./message.ts";
import { acceptsStream } from "./relay.ts";
import type { McpRequest } from "./request.ts";
import type { Session } from "./session.ts";
import { SessionAnswer } from "./session-answer.ts";

/** The one revision whose clients may send several messages at once. */
const BATCH_REVISION = "2025-03-26";

/** HTTP status of a GET for which there is no room now. */
const UNAVAILABLE = 503;

/** Seconds after which there may be. */
const RETRY_AFTER_S = 30;

/**
 * Serves one message of a client that speaks a revision with a handshake.
 *
 * @throws {GatewayError} what refuses the whole request: `session_required`, `session_unknown`,
 * `invalid_request`, `invalid_params` of initialize.
 */
export async function serveLegacy(
  home: Home,
  request: McpRequest,
  message: ClientMessage,
): Promise<Response> {
  if (message.method === "initialize" && message.id !== undefined) {
    return initialize(home, request, message, message.id);
  }
  const session = await sessionOf(home, request);
  return serveAll(home, session, { request, messages: [message], batch: false });
}

/**
 * Serves the messages of one POST with an array.
 *
 * @throws {GatewayError} as `serveLegacy`, and `invalid_request` for a session of a revision without
 * batches and for an initialize within one.
 */
export async function serveBatch(
  home: Home,
  request: McpRequest,
  messages: readonly ClientMessage[],
): Promise<Response> {
  if (messages.some(({ method }) => method === "initialize")) {
    throw new GatewayError("invalid_request", "Cannot initialize within a batch: send it alone");
  }
  const session = await sessionOf(home, request);
  if (session.revision !== BATCH_REVISION) {
    throw new GatewayError(
      "invalid_request",
      `Cannot read request: MCP ${session.revision} has no batches, send each message alone`,
    );
  }
  return serveAll(home, session, { request, messages, batch: true });
}

/** Ends the session that a DELETE names. */
export async function endSession(home: Home, request: McpRequest): Promise<Response> {
  await home.sessions.end(await sessionOf(home, request));
  return new Response(null, { status: 204 });
}

/**
 * Opens the event stream that a GET of a session asks for.
 *
 * @throws {GatewayError} `session_required`, `session_unknown`.
 */
export async function openSessionStream(home: Home, request: McpRequest): Promise<Response> {
  const session = await sessionOf(home, request);
  const response = connect(home, session, request);
  if (session.streams.standalone.readers > 0) {
    session.listener.listen(sourcesOf(home, session, request.caller));
  }
  return response;
}

function connect(home: Home, session: Session, { headers, caller }: McpRequest): Response {
  try {
    return session.streams.connect(headers.get("last-event-id"), home.streams, caller);
  } catch (error) {
    if (!(error instanceof GatewayError) || error.code !== "overloaded") throw error;
    // Not in band, as for calls: a client would take a body at 200 for a stream that has ended at once.
    const refusal = errorResponse(undefined, JSON.stringify(toRpcError(error)), UNAVAILABLE);
    refusal.headers.set("retry-after", String(RETRY_AFTER_S));
    return refusal;
  }
}

function sessionOf(home: Home, request: McpRequest): Promise<Session> {
  requireServedVersion(request.headers);
  return home.sessions.find(request.headers.get(SESSION_HEADER), request.caller.client);
}

async function initialize(
  home: Home,
  request: McpRequest,
  message: ClientMessage,
  id: string,
): Promise<Response> {
  const requested = message.param("protocolVersion");
  if (requested === undefined) {
    throw new GatewayError(
      "invalid_params",
      "Cannot initialize: params.protocolVersion is missing",
    );
  }
  const { client, tools } = request.caller;
  const revision = isLegacyRevision(requested) ? requested : LATEST_LEGACY_REVISION;
  const capabilities = readCapabilities(message.rawParam("capabilities"), revision);
  const session = await home.sessions.open(client, { revision, capabilities });
  const instructions = JSON.stringify(instructionsFor(await home.runners.offers(), tools));
  return resultResponse(
    id,
    `{"protocolVersion":"${revision}","capabilities":${legacyCapabilities()},` +
      `"serverInfo":${SERVER_INFO},"instructions":${instructions}}`,
    { [SESSION_HEADER]: session.id },
  );
}

/** Serves messages of a session; what is said before `notifications/initialized` is not refused. */
function serveAll(
  home: Home,
  session: Session,
  { request, messages, batch }: {
    readonly request: McpRequest;
    readonly messages: readonly ClientMessage[];
    readonly batch: boolean;
  },
): Promise<Response> {
  const requests: Array<readonly [id: string, message: ClientMessage]> = [];
  for (const message of messages) {
    if (message.kind === "request" && message.id !== undefined) {
      requests.push([message.id, message]);
    } else take(session, message);
  }
  if (requests.length === 0) return Promise.resolve(new Response(null, { status: 202 }));
  const { caller, headers, signal } = request;
  const answer = new SessionAnswer({
    clock: home.clock,
    streams: session.streams,
    stream: acceptsStream(headers),
    signal,
    requests: requests.length,
    batch,
  });
  for (const [id, message] of requests) {
    void respond({ home, session, caller, message, id }, answer).then((text) =>
      answer.answer(text)
    );
  }
  return answer.response;
}

/** Takes what has no answer: a notification, or the response to a question of ours. */
function take(session: Session, message: ClientMessage): void {
  if (message.kind === "response") {
    session.questions.take(message);
    return;
  }
  const requestId = message.rawParam("requestId");
  if (message.method === "notifications/cancelled" && requestId !== undefined) {
    session.cancel(requestId);
  }
}

function requireServedVersion(headers: Headers): void {
  const version = headers.get(VERSION_HEADER);
  if (version === null || isLegacyRevision(version.trim())) return;
  throw new GatewayError(
    "invalid_request",
    `Unsupported protocol version: send ${LATEST_LEGACY_REVISION} or an older one with a session`,
  );
}
