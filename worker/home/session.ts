/**
 * Sessions of the legacy revisions. A session id carries its own state and a signature over it, so
 * that a home which has slept or restarted knows it again; only the ended ones are stored.
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

/** Ids whose state is kept at a time; a home that has more starts anew. */
const MAX_KNOWN = 5_000;

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
  /** Genuine ids: a signature check and a look into the store would cost more than a call. */
  readonly #known = new Map<string, SessionState | "ended">();
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
    const state = this.#known.get(id) ?? await this.#look(id);
    if (
      state === undefined || state === "ended" || state.c !== client ||
      this.#now() - state.t > SESSION_MS
    ) {
      throw new GatewayError(
        "session_unknown",
        "Cannot serve request: this session does not exist any more, send initialize again",
      );
    }
    return { id, revision: state.v };
  }

  async end(session: Session): Promise<void> {
    this.#known.set(session.id, "ended");
    await this.#store.commit({
      set: [{ key: this.#endedKey(session.id), value: "true", ttlMs: SESSION_MS }],
    });
  }

  async #look(id: string): Promise<SessionState | "ended" | undefined> {
    if (id.length > MAX_ID_LENGTH) return undefined;
    const state = await verify(await this.#key(), id);
    if (state === undefined) return undefined;
    const ended = await this.#store.get(this.#endedKey(id)) !== undefined;
    // What became known while we looked is newer: it may have been ended.
    const known = this.#known.get(id) ?? (ended ? "ended" : state);
    if (this.#known.size >= MAX_KNOWN) this.#known.clear();
    this.#known.set(id, known);
    return known;
  }

  #endedKey(id: string): string {
    return `${this.#prefix}ended/${id}`;
  }

  /** The signing key, made at first use and kept in the store. */
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
  // Base64 leaves the last bits open: of several spellings of a signature, only ours is an id.
  if (toBase64Url(signed) !== signature) return undefined;
  if (!await crypto.subtle.verify("HMAC", key, signed, bytesOf(body))) return undefined;
  const parsed = v.safeParse(sessionState, JSON.parse(new TextDecoder().decode(state)));
  // Signed by us, but by a version that knew other revisions.
  return parsed.success ? parsed.output : undefined;
}

function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}
