/**
 * The sessions of one tunnel: opened by `initialize`, found by their id, ended by DELETE or because
 * nobody used them. An id says most of a session, the store keeps what changes (session-record.ts).
 *
 * @module
 */
import { toBase64Url } from "../../src/base64url.ts";
import { GatewayError } from "../../src/errors.ts";
import type { LegacyRevision } from "../../src/mcp/revisions.ts";
import type { ClientCapabilities } from "./client-capabilities.ts";
import type { HomeContext } from "./context.ts";
import type { ReplayTotal } from "./replay-buffer.ts";
import { Session } from "./session.ts";
import { SessionIds, type SessionState } from "./session-id.ts";
import { SessionRecords } from "./session-record.ts";

/** Milliseconds that a session lives; afterwards its client gets a 404 and initializes again. */
export const SESSION_MS = 7 * 24 * 3_600_000;

/** Milliseconds that a session lives without being used. */
export const SESSION_IDLE_MS = 24 * 3_600_000;

/** Milliseconds by which the stored last use may be behind, so that use costs the store little. */
const USE_GRAIN_MS = 3_600_000;

/** Milliseconds between two looks through all sessions for what nobody comes back for. */
const SWEEP_MS = 10_000;

/** Sessions in memory at a time; above it those in which nothing is under way are looked up again. */
const MAX_KNOWN = 5_000;

/** Longest capabilities that an id carries, in bytes; longer ones are kept in the store. */
const MAX_CAPABILITIES_IN_ID = 900;

/** Opens, finds and ends the sessions of one tunnel. */
export class Sessions {
  readonly #context: HomeContext;
  readonly #ids: SessionIds;
  readonly #records: SessionRecords;
  /** What all sessions keep for clients that come again. */
  readonly #replay: ReplayTotal = { length: 0, sweep: () => this.#sweep() };
  #sweptAt = 0;
  /** By id: a signature check and a look into the store would cost more than a call. */
  readonly #known = new Map<string, Session>();

  constructor(context: HomeContext) {
    this.#context = context;
    const prefix = `session/${context.tunnel}/`;
    this.#ids = new SessionIds(context.store, `${prefix}key`);
    this.#records = new SessionRecords(context.store, `${prefix}state/`, SESSION_MS);
  }

  /** Opens a session of the client token `client`. */
  async open(
    client: string,
    { revision, capabilities }: {
      readonly revision: LegacyRevision;
      readonly capabilities: ClientCapabilities;
    },
  ): Promise<Session> {
    const now = this.#context.clock.now();
    const size = new TextEncoder().encode(JSON.stringify(capabilities)).length;
    const state: SessionState = {
      n: toBase64Url(crypto.getRandomValues(new Uint8Array(16))),
      v: revision,
      c: client,
      t: now,
      ...(size <= MAX_CAPABILITIES_IN_ID && { k: capabilities }),
    };
    const id = await this.#ids.write(state);
    const record = state.k === undefined ? { usedAt: now, capabilities } : undefined;
    if (record !== undefined) await this.#records.write(state.n, record);
    return this.#add(this.#make(id, state, record));
  }

  /**
   * The session that a request names, which is thereby used.
   *
   * @throws {GatewayError} `session_required` without an id; `session_unknown` for one that is
   * forged, ended, too old or too long unused, or was opened by another client.
   */
  async find(id: string | null, client: string): Promise<Session> {
    if (id === null) {
      throw new GatewayError(
        "session_required",
        "Cannot serve request: no session, send initialize first and repeat its Mcp-Session-Id header",
      );
    }
    const session = this.#known.get(id) ?? await this.#look(id);
    if (session === undefined || session.client !== client || !this.#lives(session)) {
      throw new GatewayError(
        "session_unknown",
        "Cannot serve request: this session does not exist any more, send initialize again",
      );
    }
    session.usedAt = this.#context.clock.now();
    if (session.usedAt - session.savedUse >= USE_GRAIN_MS) this.#saveUse(session);
    return session;
  }

  /** Keeps what has changed of `session`. */
  async save(session: Session): Promise<void> {
    session.savedUse = session.usedAt;
    await this.#records.write(session.name, session.record);
  }

  /** Ends `session` for ever. */
  async end(session: Session): Promise<void> {
    session.end();
    await this.save(session);
  }

  /** Ends what is under way in all sessions because the process is about to stop; they live on. */
  drain(): void {
    for (const session of this.#known.values()) session.release("The worker is stopping");
    // Whoever still comes finds its session by its id, with streams of its own.
    this.#known.clear();
  }

  #lives(session: Session): boolean {
    if (session.ended) return false;
    const now = this.#context.clock.now();
    const unusedMs = now - session.usedAt;
    if (now - session.openedAt <= SESSION_MS && unusedMs <= SESSION_IDLE_MS) return true;
    session.end();
    return false;
  }

  #saveUse(session: Session): void {
    this.save(session).catch((error: unknown) => {
      // The session goes on; after a restart it would seem unused for longer than it was.
      this.#context.log("warn", "Cannot remember the use of a session", { error: String(error) });
    });
  }

  async #look(id: string): Promise<Session | undefined> {
    const state = await this.#ids.read(id);
    if (state === undefined) return undefined;
    const record = await this.#records.read(state.n);
    // Without a record that should be there, it has outlived it.
    if (state.k === undefined && record?.capabilities === undefined && record?.ended !== true) {
      return undefined;
    }
    // What became known while we looked is newer: it may have been ended.
    return this.#known.get(id) ?? this.#add(this.#make(id, state, record));
  }

  #make(id: string, state: SessionState, record: Session["record"] | undefined): Session {
    const { clock } = this.#context;
    const session = new Session({ id, state, record, clock, replay: this.#replay });
    // What is stored, or else the id, may be behind by this much; what is in doubt is taken for use.
    session.usedAt = Math.min(clock.now(), session.savedUse + USE_GRAIN_MS);
    return session;
  }

  #sweep(): void {
    const now = this.#context.clock.now();
    if (now - this.#sweptAt < SWEEP_MS) return;
    this.#sweptAt = now;
    for (const { streams } of this.#known.values()) streams.sweep();
    this.#forgetIdle();
  }

  #add(session: Session): Session {
    if (this.#known.size >= MAX_KNOWN) this.#forget();
    this.#known.set(session.id, session);
    return session;
  }

  /** Makes room: all in which nothing is under way, or else the oldest one that can be spared. */
  #forget(): void {
    this.#forgetIdle();
    if (this.#known.size < MAX_KNOWN) return;
    for (const [id, session] of this.#known) {
      if (session.busy) continue;
      session.release("The worker has too many sessions");
      this.#known.delete(id);
      return;
    }
  }

  #forgetIdle(): void {
    for (const [id, session] of this.#known) {
      if (!session.idle) continue;
      // What it has said is kept at the cost of others.
      session.release("Nobody uses the session");
      this.#known.delete(id);
    }
  }
}
