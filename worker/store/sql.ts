/**
 * The store over SQLite: one SQL text and one set of rules for every place that SQLite runs in.
 *
 * `node-sqlite.ts` and `durable-object.ts` bring a {@link SqlDriver} each and call `sqlStore`. Every
 * method does its work in one synchronous stretch, inside a transaction where it writes, so calls of
 * one process cannot interleave; other processes on the same file are held off by the transaction.
 *
 * @module
 */
import { assertChange, assertKey, assertList, DEFAULT_LIST_LIMIT } from "./limits.ts";
import type { Change, Entry, Listed, Store } from "./store.ts";

/** A value that goes into or comes out of SQL. */
export type SqlValue = string | number | null;

/** One row by column name; what the columns are is known where the statement is. */
export type SqlRow = Readonly<Record<string, unknown>>;

/** All that the store asks of a database; synchronous, so that nothing comes between two steps. */
export interface SqlDriver {
  /** Runs one statement and returns its rows. */
  all(sql: string, ...params: SqlValue[]): readonly SqlRow[];
  /** Runs one statement for its effect. */
  run(sql: string, ...params: SqlValue[]): void;
  /** Runs `work` as one write transaction, undone when it throws. */
  transaction<T>(work: () => T): T;
}

/** What the store needs besides its database. */
export interface SqlStoreOptions {
  /** Milliseconds since the epoch. */
  readonly now?: () => number;
}

/** Time between two sweeps; expired entries are invisible before they are swept. */
const SWEEP_EVERY_MS = 60_000;

/** Entries that one sweep deletes at most, so that no commit waits long for it. */
const SWEEP_LIMIT = 500;

const SQL = {
  // AUTOINCREMENT never gives a rowid twice and REPLACE makes a new row, so the rowid is the version:
  // a check made on a deleted and rewritten key fails, as it must.
  table: `CREATE TABLE IF NOT EXISTS store (
    version INTEGER PRIMARY KEY AUTOINCREMENT,
    key TEXT NOT NULL UNIQUE,
    value TEXT NOT NULL,
    expires_at INTEGER
  ) STRICT`,
  index: `CREATE INDEX IF NOT EXISTS store_by_expiry ON store (expires_at)
    WHERE expires_at IS NOT NULL`,
  get: `SELECT version, value FROM store
    WHERE key = ? AND (expires_at IS NULL OR expires_at > ?)`,
  list: `SELECT key, version, value FROM store
    WHERE key >= ? AND key < ? AND (expires_at IS NULL OR expires_at > ?)
    ORDER BY key LIMIT ?`,
  put: "INSERT OR REPLACE INTO store (key, value, expires_at) VALUES (?, ?, ?)",
  del: "DELETE FROM store WHERE key = ?",
  sweep: `DELETE FROM store WHERE version IN (
    SELECT version FROM store WHERE expires_at <= ? ORDER BY expires_at LIMIT ${SWEEP_LIMIT})`,
} as const;

/** A store over `driver`; makes its table when it is not there. */
export function sqlStore(driver: SqlDriver, { now = Date.now }: SqlStoreOptions = {}): Store {
  driver.transaction(() => {
    driver.run(SQL.table);
    driver.run(SQL.index);
  });
  let sweepAt = 0;

  function sweepIfDue(at: number): void {
    if (at < sweepAt) return;
    sweepAt = at + SWEEP_EVERY_MS;
    driver.run(SQL.sweep, at);
  }

  function read(key: string, at: number): Entry | undefined {
    const [row] = driver.all(SQL.get, key, at);
    return row === undefined ? undefined : entryOf(row);
  }

  function apply({ check = [], set = [], del = [] }: Change, at: number): boolean {
    for (const { key, version } of check) {
      if ((read(key, at)?.version ?? 0) !== version) return false;
    }
    for (const key of del) driver.run(SQL.del, key);
    for (const { key, value, ttlMs } of set) {
      const expiresAt = ttlMs === undefined ? null : Math.min(at + ttlMs, Number.MAX_SAFE_INTEGER);
      driver.run(SQL.put, key, value, expiresAt);
    }
    return true;
  }

  // The methods are async for the interface; a bad argument rejects, it does not throw at the caller.
  return {
    async get(key) {
      assertKey(key);
      return read(key, now());
    },

    async commit(change) {
      assertChange(change);
      const at = now();
      return driver.transaction(() => {
        sweepIfDue(at);
        return apply(change, at);
      });
    },

    async list(prefix, limit = DEFAULT_LIST_LIMIT) {
      assertList(prefix, limit);
      // "0" follows "/" in ASCII: the first key after all that start with the prefix.
      const end = `${prefix.slice(0, -1)}0`;
      return driver.all(SQL.list, prefix, end, now(), limit).map(listedOf);
    },
  };
}

/** The columns have the types that the STRICT table gives them; anything else is not our table. */
function entryOf({ value, version }: SqlRow): Entry {
  if (typeof value !== "string" || typeof version !== "number") {
    throw new TypeError("Cannot read store: the table is not the one that this version makes");
  }
  return { value, version };
}

function listedOf(row: SqlRow): Listed {
  const key = row["key"];
  if (typeof key !== "string") {
    throw new TypeError("Cannot read store: the table is not the one that this version makes");
  }
  return [key, entryOf(row)];
}
