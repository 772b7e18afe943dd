/**
 * All streams of one session: those of calls that are answered as event streams, and the standalone
 * one, which carries what belongs to no call and which a GET connects to.
 *
 * @module
 */
import type { Clock } from "../../src/clock.ts";
import type { LegacyRevision } from "../../src/mcp/revisions.ts";
import type { Caller } from "../front/caller.ts";
import { SSE_HEADERS } from "./event-stream.ts";
import { ReplayBuffer, type ReplayTotal } from "./replay-buffer.ts";
import { readEventId, SessionStream } from "./session-stream.ts";
import type { OpenStreams } from "./streams.ts";

/** Milliseconds for which a call's stream can still be read after its end. */
const KEPT_MS = 5 * 60_000;

/** Milliseconds after which a GET is answered anew. */
const MAX_CONNECTED_MS = 3_600_000;

/** Connections to the standalone stream of one session. */
const MAX_STANDALONE_CONNECTIONS = 4;

/** What makes the streams of a session. */
export interface SessionStreamsOptions {
  readonly clock: Clock;
  /** What the sessions of the home keep together. */
  readonly replay: ReplayTotal;
  readonly revision: LegacyRevision;
  /** Called when the last connection to the standalone stream has ended. */
  readonly unread: () => void;
}

/** The streams of one session. */
export class SessionStreams {
  /** Carries what belongs to no call. */
  readonly standalone: SessionStream;
  readonly #options: SessionStreamsOptions;
  readonly #buffer: ReplayBuffer;
  readonly #primed: boolean;
  readonly #calls = new Map<string, SessionStream>();

  constructor(options: SessionStreamsOptions) {
    const { clock, replay, revision, unread } = options;
    this.#options = options;
    this.#buffer = new ReplayBuffer(replay);
    this.#primed = revision === "2025-11-25";
    this.standalone = new SessionStream({
      clock,
      buffer: this.#buffer,
      primed: this.#primed,
      maxReaders: MAX_STANDALONE_CONNECTIONS,
      readerEnded: () => {
        if (this.standalone.readers === 0) unread();
      },
    });
  }

  /** Whether there is anything that a client may come back for. */
  get idle(): boolean {
    this.sweep();
    return this.#calls.size === 0 && this.standalone.readers === 0;
  }

  /** A new stream for a call. */
  open(): SessionStream {
    this.sweep();
    const stream = new SessionStream({
      clock: this.#options.clock,
      buffer: this.#buffer,
      primed: this.#primed,
      maxReaders: 1,
    });
    this.#calls.set(stream.name, stream);
    return stream;
  }

  /**
   * Answers a GET: with the rest of the stream that `lastEventId` is of, or else with the standalone
   * one. Status 204, which tells an event source not to come again, when that stream is over and its
   * client has all of it.
   *
   * @param open The open streams of the home, among which this one is to have a place.
   * @throws {GatewayError} what refuses it that place.
   */
  connect(lastEventId: string | null, open: OpenStreams, caller: Caller): Response {
    this.sweep();
    const known = lastEventId === null ? undefined : readEventId(lastEventId);
    const taken = known === undefined ? undefined : this.#named(known.stream);
    const stream = taken ?? this.standalone;
    let close = (): void => {};
    const leave = open.add(() => close(), caller);
    const reader = stream.connect(taken === undefined ? undefined : known?.place);
    if (reader === undefined) {
      leave();
      return new Response(null, { status: 204 });
    }
    close = () => reader.close();
    const stop = this.#options.clock.after(MAX_CONNECTED_MS, close);
    reader.whenEnded(() => {
      stop();
      leave();
    });
    return new Response(reader.body, { headers: SSE_HEADERS });
  }

  /** Lets go of what they said and ends the standalone one; those of calls end with their calls. */
  release(): void {
    this.standalone.close();
    this.#calls.clear();
    this.#buffer.close();
  }

  /** Lets go of what nobody comes back for; without a timer, so that a home may sleep. */
  sweep(): void {
    const now = this.#options.clock.now();
    for (const [name, { endedAt }] of this.#calls) {
      if (endedAt === undefined || now - endedAt <= KEPT_MS) continue;
      this.#calls.delete(name);
      this.#buffer.drop(name);
    }
  }

  #named(name: string): SessionStream | undefined {
    return name === this.standalone.name ? this.standalone : this.#calls.get(name);
  }
}
