/**
 * Session ids of the legacy revisions. An id carries the session's state and a signature over it, so
 * that a home which has slept or restarted knows it again.
 *
 * @module
 */
import * as v from "valibot";
import { fromBase64Url, toBase64Url } from "../../src/base64url.ts";
import { GatewayError } from "../../src/errors.ts";
import { LEGACY_REVISIONS } from "../../src/mcp/revisions.ts";
import type { Store } from "../store/store.ts";

/** Longest session id, in characters: it travels as a header, of which servers take 8 KiB together. */
const MAX_ID_LENGTH = 2 * 1024;

const sessionState = v.object({
  /** Unguessable, what tells two sessions apart, and the key of what is stored of one. */
  n: v.pipe(v.string(), v.regex(/^[\w-]{22}$/)),
  /** Negotiated revision. */
  v: v.picklist(LEGACY_REVISIONS),
  /** Client token that opened the session. */
  c: v.string(),
  /** When it was opened, ms since epoch. */
  t: v.number(),
  /** The client's capabilities; absent when they are too long for an id. */
  k: v.exactOptional(v.record(v.string(), v.unknown())),
});

/** What a session id says. */
export type SessionState = v.InferOutput<typeof sessionState>;

/** Writes and reads the session ids of one tunnel. */
export class SessionIds {
  readonly #store: Store;
  readonly #keyName: string;
  #ready: Promise<CryptoKey> | undefined;

  /** @param keyName Where the signing key is kept in the store. */
  constructor(store: Store, keyName: string) {
    this.#store = store;
    this.#keyName = keyName;
  }

  /** The id of a session with this state. */
  async write(state: SessionState): Promise<string> {
    const body = toBase64Url(bytesOf(JSON.stringify(state)));
    const signature = await crypto.subtle.sign("HMAC", await this.#key(), bytesOf(body));
    return `${body}.${toBase64Url(new Uint8Array(signature))}`;
  }

  /** What a genuine id says; undefined for any other text. */
  async read(id: string): Promise<SessionState | undefined> {
    if (id.length > MAX_ID_LENGTH) return undefined;
    const [body = "", signature = "", ...rest] = id.split(".");
    const signed = fromBase64Url(signature);
    const state = fromBase64Url(body);
    if (signed === undefined || state === undefined || rest.length > 0) return undefined;
    // Base64 leaves the last bits open: of several spellings of a signature, only ours is an id.
    if (toBase64Url(signed) !== signature) return undefined;
    const key = await this.#key();
    if (!await crypto.subtle.verify("HMAC", key, signed, bytesOf(body))) return undefined;
    const parsed = v.safeParse(sessionState, JSON.parse(new TextDecoder().decode(state)));
    // Signed by us, but by a version that knew other revisions.
    return parsed.success ? parsed.output : undefined;
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
    const name = this.#keyName;
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

function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}
