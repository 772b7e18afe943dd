/**
 * One request to one server in canonical form: what the gateway asks of a server, whatever revision
 * that speaks and however it is reached. Era adapters of this folder carry it out.
 *
 *     gateway ── Exchange ──▶ server ── accepted, note*, then one of result | inputRequired | error | failed
 *
 * @module
 */
import type { GatewayError } from "../../src/errors.ts";
import type { LogLevel } from "../../src/mcp/log-level.ts";
import type { Member } from "../../src/mcp/scan.ts";
import type { ServerLists } from "./listed.ts";
import type { Params } from "./params.ts";
import type { Trace } from "./trace-context.ts";

/** What a server can be asked on behalf of a caller. */
export type ExchangeMethod =
  | "tools/call"
  | "prompts/get"
  | "resources/read"
  | "completion/complete"
  | "tasks/get"
  | "tasks/update"
  | "tasks/cancel";

/** On whose behalf, as the canonical call says it. */
export interface ExchangeCaller {
  /** Id of the client token. */
  readonly client: string;
  readonly protocolVersion: string;
  /** What the caller declared with this request. */
  readonly capabilities: Readonly<Record<string, unknown>>;
  /** Least severe log message that it wants; undefined: none. */
  readonly logLevel?: LogLevel | undefined;
}

/** The caller's answers to what a server asked for. */
export interface Input {
  /** What the server gave with its question; undefined if nothing. */
  readonly state: string | undefined;
  /** JSON text of the result, an object, for each key of the question. */
  readonly responses: ReadonlyMap<string, string>;
  /** JSON text of a JSON-RPC error in place of a result, from a client of a legacy revision. */
  readonly errors: ReadonlyMap<string, string>;
}

/** Where the time of an exchange went, in milliseconds; filled in on the way. */
export interface Spent {
  queueMs: number;
  startMs: number;
}

/** A request. */
export interface Exchange {
  readonly method: ExchangeMethod;
  /** Canonical params with the server's own name or URI, without `inputResponses` and `requestState`. */
  readonly params: Params;
  readonly caller: ExchangeCaller;
  /** Present when it goes on with an exchange that ended in `inputRequired`. */
  readonly input?: Input;
  /**
   * Milliseconds that a question of the server may wait for its answer, asked when it comes up;
   * as long as a person takes unless given.
   */
  readonly patienceMs?: () => number | undefined;
  /** The trace that its server is told to go on with; none unless given. */
  readonly trace?: Trace;
  /** Gets where its time went, from whoever lets it wait. */
  readonly spent?: Spent;
}

/** What an exchange hears. After one of the last four nothing more comes. */
export interface ExchangeListener {
  /** The request was written: from here on it may have run. */
  accepted(): void;
  /** A JSON-RPC notification, ready for the caller: with its own progress token, filtered by its log level. */
  note(notification: string): void;
  /** JSON text of the server's result, and its outline's members. */
  result(result: string, members: ReadonlyMap<string, Member>): void;
  /**
   * The server needs input.
   *
   * @param result JSON text of an InputRequiredResult without `requestState` (MCP 2026-07-28 mrtr).
   * @param state What the next exchange must bring as `Input.state`.
   */
  inputRequired(result: string, state: string | undefined): void;
  /** JSON text of the server's JSON-RPC error, in the codes of MCP 2026-07-28. */
  error(error: string): void;
  /** It could not be carried out. */
  failed(error: GatewayError): void;
}

/** Ends an exchange: the server is told why, the listener hears nothing more. */
export type Withdraw = (reason: string) => void;

/** What a server tells of the resources that somebody listens to. */
export interface ResourceListener {
  /** Whole `notifications/resources/updated` notification with the server's own URI. */
  updated(uri: string, notification: string): void;
  /** The server has ended or has refused; whoever still listens must ask again. */
  ended(error: GatewayError): void;
}

/** A server as the gateway sees it. */
export interface ExchangeServer {
  readonly name: string;
  /** Its lists as last known, also while it is cold; undefined until it was ready once. */
  readonly lists: ServerLists | undefined;
  /**
   * Starts it if its lists are not known.
   *
   * @throws {GatewayError} `server_failed`, `image_missing` or `engine_unavailable` with the cause.
   */
  start(): Promise<void>;
  /** Carries out one request, starting what it needs; never throws. */
  exchange(exchange: Exchange, listener: ExchangeListener): Withdraw;
  /** Hears of updates of the resources with these own URIs, until the returned function is called. */
  listen(uris: readonly string[], listener: ResourceListener): () => void;
  /** Stops it for good; resolves when nothing of it is left. */
  stop(): Promise<void>;
}
