import {
  assertChange,
  assertKey,
  assertList,
  DEFAULT_LIST_LIMIT,
} from "../../worker/store/limits.ts";
import type { Entry, Store } from "../../worker/store/store.ts";

/** A store in a `Map`, for unit tests; the store contract holds for it too. */
export interface MemoryStore extends Store {
  /** Every key and value that is kept, expired ones too, as one text. */
  dump(): string;
  /** Entries that are kept, expired ones too. */
  readonly size: number;
  /** Calls of `get`, `list` and `commit` since the store was made. */
  readonly calls: { get: number; list: number; commit: number };
}

interface Row extends Entry {
  readonly expiresAt: number;
}

/** An empty store whose clock is `now`, in milliseconds since the epoch. */
export function memoryStore(now: () => number): MemoryStore {
  const rows = new Map<string, Row>();
  const calls = { get: 0, list: 0, commit: 0 };
  let version = 0;

  function live(key: string): Entry | undefined {
    const row = rows.get(key);
    if (row === undefined || row.expiresAt <= now()) return undefined;
    return { value: row.value, version: row.version };
  }

  return {
    calls,
    get size() {
      return rows.size;
    },
    dump: () => JSON.stringify([...rows]),

    async get(key) {
      calls.get++;
      assertKey(key);
      return live(key);
    },

    async commit(change) {
      calls.commit++;
      assertChange(change);
      const { check = [], set = [], del = [] } = change;
      if (check.some((one) => (live(one.key)?.version ?? 0) !== one.version)) return false;
      for (const key of del) rows.delete(key);
      for (const { key, value, ttlMs = Infinity } of set) {
        rows.set(key, { value, version: ++version, expiresAt: now() + ttlMs });
      }
      return true;
    },

    async list(prefix, limit = DEFAULT_LIST_LIMIT) {
      calls.list++;
      assertList(prefix, limit);
      const keys = [...rows.keys()].filter((key) => key.startsWith(prefix)).toSorted();
      return keys.flatMap((key) => {
        const entry = live(key);
        return entry === undefined ? [] : [[key, entry] as const];
      }).slice(0, limit);
    },
  };
}
