/**
 * Sessions of the legacy revisions. A session id carries its own state and a signature over it, so
 * that a home which has slept or restarted knows it again; only the ended ones are remembered.
 *
 * @module
 */
import * as v from "valibot";
import { fromBase64Url, toBase64Url } from "../../src/base64url.ts";
import { GatewayError } from "../../src/errors.ts";
import { LEGACY_REVISIONS, type LegacyRevision } from "../../src/mcp/revisions.ts";
import type { Store } from "../store/store.ts";

/** Milliseconds that a session lives; afterwards its client gets a 404 and initializes again. */
export const SESSION_MS = 7 * 24 * 3_600_000;

/** Longest session id that is looked at. */
const MAX_ID_LENGTH = 512;

const sessionState = v.object({
  /** Unguessable, and what tells two sessions of one client apart. */
  n: v.string(),
  /** Negotiated revision. */
  v: v.picklist(LEGACY_REVISIONS),
  /** Client token that opened the session. */
  c: v.string(),
  /** When it was opened, ms since epoch. */
  t: v.number(),
});

type SessionState = v.InferOutput<typeof sessionState>;

/** Verified ids kept at a time; a home that has more starts anew. */
const MAX_VERIFIED = 5_000;

/** What a session id says. */
export interface Session {
  readonly id: string;
  readonly revision: LegacyRevision;
}

/** Opens, recognizes and ends sessions of one tunnel. */
export class Sessions {
  readonly #store: Store;
  readonly #prefix: string;
  readonly #now: () => number;
  readonly #ended = new Set<string>();
  /** Ids already verified: a signature check for every call would cost more than the call. */
  readonly #verified = new Map<string, SessionState>();
  #ready: Promise<CryptoKey> | undefined;

  constructor(store: Store, tunnel: string, now: () => number) {
    this.#store = store;
    this.#prefix = `session/${tunnel}/`;
    this.#now = now;
  }

  async open(client: string, revision: LegacyRevision): Promise<Session> {
    const nonce = toBase64Url(crypto.getRandomValues(new Uint8Array(16)));
    const state = { n: nonce, v: revision, c: client, t: this.#now() };
    const body = toBase64Url(new TextEncoder().encode(JSON.stringify(state)));
    const signature = await crypto.subtle.sign("HMAC", await this.#key(), bytesOf(body));
    return { id: `${body}.${toBase64Url(new Uint8Array(signature))}`, revision };
  }

  /**
   * The session that a request names.
   *
   * @throws {GatewayError} `session_required` without an id; `session_unknown` for one that is
   * forged, ended, too old, or was opened by another client.
   */
  async find(id: string | null, client: string): Promise<Session> {
    if (id === null) {
      throw new GatewayError(
        "session_required",
        "Cannot serve request: no session, send initialize first and repeat its Mcp-Session-Id header",
      );
    }
    const state = this.#verified.get(id) ?? await this.#verify(id);
    if (state === undefined || state.c !== client || this.#now() - state.t > SESSION_MS) {
      throw new GatewayError(
        "session_unknown",
        "Cannot serve request: this session does not exist any more, send initialize again",
      );
    }
    return { id, revision: state.v };
  }

  async end(session: Session): Promise<void> {
    this.#ended.add(session.id);
    this.#verified.delete(session.id);
    await this.#store.commit({
      set: [{ key: `${this.#prefix}ended/${session.id}`, value: "true", ttlMs: SESSION_MS }],
    });
  }

  async #verify(id: string): Promise<SessionState | undefined> {
    const key = await this.#key();
    if (id.length > MAX_ID_LENGTH || this.#ended.has(id)) return undefined;
    const state = await verify(key, id);
    if (state !== undefined) {
      if (this.#verified.size >= MAX_VERIFIED) this.#verified.clear();
      this.#verified.set(id, state);
    }
    return state;
  }

  /** The signing key, made at first use and kept in the store; loads the ended sessions with it. */
  #key(): Promise<CryptoKey> {
    this.#ready ??= this.#load().catch((error: unknown) => {
      this.#ready = undefined;
      throw error;
    });
    return this.#ready;
  }

  async #load(): Promise<CryptoKey> {
    const name = `${this.#prefix}key`;
    const fresh = JSON.stringify(toBase64Url(crypto.getRandomValues(new Uint8Array(32))));
    await this.#store.commit({
      check: [{ key: name, version: 0 }],
      set: [{ key: name, value: fresh }],
    });
    const stored = await this.#store.get(name);
    const prefix = `${this.#prefix}ended/`;
    for (const [ended] of await this.#store.list(prefix, 1_000)) {
      this.#ended.add(ended.slice(prefix.length));
    }
    const secret = fromBase64Url(v.parse(v.string(), JSON.parse(stored?.value ?? '""')));
    if (secret?.length !== 32) {
      throw new GatewayError("store_unavailable", "Cannot read the key of sessions: it is damaged");
    }
    return crypto.subtle.importKey(
      "raw",
      secret,
      { name: "HMAC", hash: "SHA-256" },
      false,
      ["sign", "verify"],
    );
  }
}

async function verify(key: CryptoKey, id: string): Promise<SessionState | undefined> {
  const [body = "", signature = "", ...rest] = id.split(".");
  const signed = fromBase64Url(signature);
  const state = fromBase64Url(body);
  if (signed === undefined || state === undefined || rest.length > 0) return undefined;
  const genuine = await crypto.subtle.verify("HMAC", key, signed, bytesOf(body));
  return genuine ? v.parse(sessionState, JSON.parse(new TextDecoder().decode(state))) : undefined;
}

function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}
