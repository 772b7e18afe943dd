/**
 * What the store keeps of a session beside its id: what changes in its life, and that it has ended.
 *
 * @module
 */
import * as v from "valibot";
import { logLevel } from "../../src/mcp/log-level.ts";
import type { Store } from "../store/store.ts";

const record = v.object({
  /** Last known use, ms since epoch. */
  usedAt: v.number(),
  /** What `logging/setLevel` asked for. */
  logLevel: v.exactOptional(logLevel),
  /** URIs of `resources/subscribe`. */
  subscriptions: v.exactOptional(v.array(v.string())),
  /** The client's capabilities, where the id has no room for them. */
  capabilities: v.exactOptional(v.record(v.string(), v.unknown())),
  /** The session is over; its id is void. */
  ended: v.exactOptional(v.literal(true)),
});

/** The stored part of one session. */
export type SessionRecord = v.InferOutput<typeof record>;

/** Reads and writes the records of one tunnel's sessions. */
export class SessionRecords {
  readonly #store: Store;
  readonly #prefix: string;
  readonly #ttlMs: number;
  /** The last write of each session that is under way: a later one must not be overtaken by it. */
  readonly #writing = new Map<string, Promise<void>>();

  /** @param ttlMs Milliseconds from a write on for which a session may still live. */
  constructor(store: Store, prefix: string, ttlMs: number) {
    this.#store = store;
    this.#prefix = prefix;
    this.#ttlMs = ttlMs;
  }

  /** The record of the session with the nonce `name`; undefined if it never had one. */
  async read(name: string): Promise<SessionRecord | undefined> {
    const entry = await this.#store.get(this.#prefix + name);
    if (entry === undefined) return undefined;
    return v.parse(record, JSON.parse(entry.value));
  }

  /** @throws {GatewayError} `store_unavailable`. */
  write(name: string, value: SessionRecord): Promise<void> {
    const before = this.#writing.get(name) ?? Promise.resolve();
    const put = { key: this.#prefix + name, value: JSON.stringify(value), ttlMs: this.#ttlMs };
    const written = before.catch(() => {}).then(async () => {
      await this.#store.commit({ set: [put] });
    });
    const settled = written.catch(() => {}).then(() => {
      if (this.#writing.get(name) === settled) this.#writing.delete(name);
    });
    this.#writing.set(name, settled);
    return written;
  }
}
