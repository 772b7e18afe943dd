/**
 * The store: everything of a worker that outlives a restart, as small JSON values under text keys.
 *
 * Tokens and join codes are kept through it (`worker/access`); every key is listed in
 * docs/storage.md. There is one shape with several backends: SQLite on Node and Deno, the SQLite of a
 * Durable Object, and the same reached over `fetch`. One contract suite (`test/contract/store.ts`)
 * holds for all of them.
 *
 * The only way to change anything is `commit`, which compares versions first. So whatever must
 * happen once (redeem a code, count a wrong try) reads an entry, decides, and commits on condition
 * that the entry is still the one it read; whoever gets `false` reads again.
 *
 * @module
 */

/** A value as it was read, and the version that a later `commit` compares. */
export interface Entry {
  /** JSON text; the store does not look into it. */
  readonly value: string;
  /** Positive, and never given twice in the life of a store, not even after a delete. */
  readonly version: number;
}

/** "Commit only if `key` still is at `version`"; version 0 means that it must not exist. */
export interface Check {
  readonly key: string;
  readonly version: number;
}

/** A value to write, over whatever is there. */
export interface Put {
  readonly key: string;
  /** JSON text of at most {@link MAX_VALUE_BYTES}. */
  readonly value: string;
  /** Life in milliseconds, from the commit on; absent = until deleted. */
  readonly ttlMs?: number;
}

/** What one `commit` does, all of it or nothing. No key may be written twice. */
export interface Change {
  readonly check?: readonly Check[];
  readonly set?: readonly Put[];
  readonly del?: readonly string[];
}

/** A key with what is stored under it. */
export type Listed = readonly [key: string, entry: Entry];

/**
 * Durable state with atomic compare-and-set. An entry whose life is over does not exist any more for
 * any method. Arguments outside the limits of `limits.ts` are a `RangeError`; a backend that cannot
 * be reached is `store_unavailable`.
 */
export interface Store {
  /** The entry at `key`, or `undefined`. */
  get(key: string): Promise<Entry | undefined>;
  /**
   * Applies `change` if all of its checks hold, and resolves with whether they did. A rejected
   * promise leaves it open whether the change was made, as it may be the answer that was lost.
   */
  commit(change: Change): Promise<boolean>;
  /**
   * Entries whose key starts with `prefix`, which ends in "/", in ascending order of their keys.
   *
   * @param limit At most this many: 100 unless given, 1,000 at most.
   */
  list(prefix: string, limit?: number): Promise<readonly Listed[]>;
}
