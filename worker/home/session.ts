/**
 * One session of a legacy client (MCP 2025-11-25 basic/transports "Session Management") while its home
 * has it in memory: what it is, and what is under way in it.
 *
 * @module
 */
import type { Clock } from "../../src/clock.ts";
import type { LogLevel } from "../../src/mcp/log-level.ts";
import type { LegacyRevision } from "../../src/mcp/revisions.ts";
import type { ClientCapabilities } from "./client-capabilities.ts";
import { Questions } from "./questions.ts";
import type { SessionState } from "./session-id.ts";
import type { SessionRecord } from "./session-record.ts";
import type { ReplayTotal } from "./replay-buffer.ts";
import { SessionListener } from "./session-listener.ts";
import { SessionStreams } from "./session-streams.ts";

/** The level of log messages before a client has set one: what servers usually mean to be seen. */
const DEFAULT_LOG_LEVEL: LogLevel = "info";

/** Why a call ends that its client has cancelled. */
export const BY_CLIENT = "Cancelled by the client";

/** What makes a session. */
export interface SessionOptions {
  readonly id: string;
  readonly state: SessionState;
  /** What the store had of it; undefined for nothing. */
  readonly record: SessionRecord | undefined;
  readonly clock: Clock;
  /** What the sessions of the home keep together. */
  readonly replay: ReplayTotal;
}

/** A session that a home knows. */
export class Session {
  readonly id: string;
  /** The unguessable part of the id, under which the store keeps what changes. */
  readonly name: string;
  readonly revision: LegacyRevision;
  /** Id of the client token that opened it, and that alone may use it. */
  readonly client: string;
  /** Ms since epoch. */
  readonly openedAt: number;
  readonly capabilities: ClientCapabilities;
  readonly questions: Questions;
  readonly streams: SessionStreams;
  /** Hears of changes, for the standalone stream. */
  readonly listener: SessionListener;
  /** Last use, ms since epoch. */
  usedAt: number;
  /** The last use that the store knows of. */
  savedUse: number;
  logLevel: LogLevel;
  /** Whether the id had no room for the capabilities. */
  readonly #storesCapabilities: boolean;
  #ended = false;
  /** What cancels the calls under way. */
  readonly #calls = new Set<AbortController>();
  /** The youngest call of each request id, by {@link callKey}. */
  readonly #youngest = new Map<string, AbortController>();

  constructor({ id, state, record, clock, replay }: SessionOptions) {
    this.id = id;
    this.name = state.n;
    this.revision = state.v;
    this.client = state.c;
    this.openedAt = state.t;
    this.capabilities = state.k ?? record?.capabilities ?? {};
    this.#storesCapabilities = state.k === undefined;
    this.usedAt = record?.usedAt ?? state.t;
    this.savedUse = this.usedAt;
    this.logLevel = record?.logLevel ?? DEFAULT_LOG_LEVEL;
    this.questions = new Questions(clock);
    this.streams = new SessionStreams({
      clock,
      replay,
      revision: state.v,
      unread: () => this.listener.unread(),
    });
    this.listener = new SessionListener(clock, this.streams.standalone, record?.subscriptions);
    this.#ended = record?.ended === true;
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** Whether nothing would be lost if the home forgot it until the next request. */
  get idle(): boolean {
    return this.#calls.size === 0 && this.streams.idle && this.listener.idle;
  }

  /** Whether somebody waits for something in it. */
  get busy(): boolean {
    return this.#calls.size > 0 || this.streams.standalone.readers > 0;
  }

  /** What the store is to keep of it now. */
  get record(): SessionRecord {
    if (this.#ended) return { usedAt: this.usedAt, ended: true };
    const { subscriptions } = this.listener;
    return {
      usedAt: this.usedAt,
      logLevel: this.logLevel,
      ...(this.#storesCapabilities && { capabilities: this.capabilities }),
      ...(subscriptions.size > 0 && { subscriptions: [...subscriptions] }),
    };
  }

  /**
   * Notes that a call has begun; `requestId` is the JSON text of its id.
   *
   * @returns Aborts when the call is to end early; the reason is a text for the runner.
   */
  callBegins(requestId: string): AbortController {
    const call = new AbortController();
    this.#calls.add(call);
    // A client may use an id again while it is in use: it then means the younger call.
    this.#youngest.set(callKey(requestId), call);
    if (this.#ended) call.abort("The session has ended");
    return call;
  }

  callEnds(requestId: string, call: AbortController): void {
    this.#calls.delete(call);
    const key = callKey(requestId);
    if (this.#youngest.get(key) === call) this.#youngest.delete(key);
  }

  /** Cancels a call by the JSON text of its request id; unknown ones are ignored. */
  cancel(requestId: string): void {
    this.#youngest.get(callKey(requestId))?.abort(BY_CLIENT);
  }

  /** Ends it: its calls are cancelled, its questions withdrawn, its streams end. */
  end(): void {
    this.#ended = true;
    this.release("The session has ended");
  }

  /** Ends what is under way in it, for a reason that runners and clients are told. */
  release(reason: string): void {
    const calls = [...this.#calls];
    this.#calls.clear();
    this.#youngest.clear();
    for (const call of calls) call.abort(reason);
    this.listener.close();
    this.streams.release();
  }
}

/** One key for all spellings of a request id, which is given as JSON text. */
function callKey(requestId: string): string {
  return JSON.stringify(JSON.parse(requestId));
}
