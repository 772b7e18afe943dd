/**
 * The store in the SQLite of a Durable Object.
 *
 * The object's class makes one in its constructor and answers the front worker with `serveStore`
 * (`remote.ts`). The platform holds back every answer until the writes before it are on disk, so a
 * `commit` that was answered is durable.
 *
 * @module
 */
import { type SqlRow, sqlStore, type SqlStoreOptions, type SqlValue } from "./sql.ts";
import type { Store } from "./store.ts";

/** The part of `ctx.storage` of a SQLite-backed Durable Object that the store uses. */
export interface ObjectStorage {
  readonly sql: {
    exec(sql: string, ...params: SqlValue[]): { toArray(): readonly SqlRow[] };
  };
  transactionSync<T>(work: () => T): T;
}

/** The store kept by the Durable Object whose `ctx.storage` is given. */
export function durableObjectStore(storage: ObjectStorage, options: SqlStoreOptions = {}): Store {
  return sqlStore({
    all: (sql, ...params) => storage.sql.exec(sql, ...params).toArray(),
    run: (sql, ...params) => void storage.sql.exec(sql, ...params),
    transaction: (work) => storage.transactionSync(work),
  }, options);
}
