/**
 * The store in a SQLite file of a process, through the `node:sqlite` that Node (22.13 and newer) and
 * Deno bring along.
 *
 * A worker opens one at start and closes it at the end; its command `code` opens the same file beside
 * a running worker to make a join code, which SQLite's own locks allow. Builtins
 * are asked for when a file is opened and never imported, because the worker is one file that must
 * also load where there are none.
 *
 * @module
 */
import { GatewayError } from "../../src/errors.ts";
import {
  type SqlDriver,
  type SqlRow,
  sqlStore,
  type SqlStoreOptions,
  type SqlValue,
} from "./sql.ts";
import type { Store } from "./store.ts";

/** The part of a `node:sqlite` statement that the store uses. */
interface Statement {
  all(...params: SqlValue[]): SqlRow[];
  run(...params: SqlValue[]): unknown;
}

/** The part of a `node:sqlite` `DatabaseSync` that the store uses. */
interface Database {
  exec(sql: string): void;
  prepare(sql: string): Statement;
  close(): void;
}

/** The part of the module `node:sqlite` that the store uses. */
export interface SqliteModule {
  readonly DatabaseSync: new (path: string) => Database;
}

/** The part of the module `node:fs` that the store uses. */
interface FileModule {
  existsSync(path: string): boolean;
  writeFileSync(path: string, text: string, options: { mode: number; flag: string }): void;
  chmodSync(path: string, mode: number): void;
}

/** The modules that the runtime is asked for. */
interface Builtins {
  readonly "node:sqlite": SqliteModule;
  readonly "node:fs": FileModule;
}

/** How a file store is opened. */
export interface SqliteStoreOptions extends SqlStoreOptions {
  /** The module `node:sqlite`; without it the process is asked for its own. */
  readonly sqlite?: SqliteModule;
}

/** A store in a file that this process has open. */
export interface SqliteStore extends Store {
  /** Writes everything into the one file and lets go of it; the store cannot be used afterwards. */
  close(): void;
}

/**
 * Longest wait for another process that is writing, in milliseconds. The wait blocks the process, but
 * a commit of ours takes about one millisecond, so only a stuck writer is waited for this long.
 */
const BUSY_TIMEOUT_MS = 3000;

/** FULL makes every commit wait for the disk: a join code that was used stays used after power loss. */
const SETTINGS = `
  PRAGMA busy_timeout = ${BUSY_TIMEOUT_MS};
  PRAGMA journal_mode = WAL;
  PRAGMA synchronous = FULL;
`;

/**
 * Opens the store in the file at `path`, which is made with mode 0600 when it is not there. The path
 * `:memory:` makes a store that ends with the process.
 *
 * @throws {GatewayError} `store_unavailable` when there is no `node:sqlite`, or the file cannot be
 * opened or is not a database.
 */
export function openSqliteStore(path: string, options: SqliteStoreOptions = {}): SqliteStore {
  const sqlite = options.sqlite ?? builtin("node:sqlite");
  if (sqlite === undefined) {
    throw new GatewayError(
      "store_unavailable",
      "Cannot open the store: this runtime has no node:sqlite, use Node 22.13 or newer",
    );
  }
  let database: Database | undefined;
  try {
    if (path !== ":memory:") restrictToOwner(path);
    database = new sqlite.DatabaseSync(path);
    database.exec(SETTINGS);
    const opened = database;
    return { ...sqlStore(driverOf(opened), options), close: () => opened.close() };
  } catch (cause) {
    database?.close();
    throw new GatewayError(
      "store_unavailable",
      "Cannot open the store: its file is not readable and writable, or is not a database",
      { cause },
    );
  }
}

function driverOf(database: Database): SqlDriver {
  const statements = new Map<string, Statement>();

  function prepared(sql: string): Statement {
    let statement = statements.get(sql);
    if (statement === undefined) {
      statement = database.prepare(sql);
      statements.set(sql, statement);
    }
    return statement;
  }

  return {
    all: (sql, ...params) => attempt(() => prepared(sql).all(...params)),
    run: (sql, ...params) => attempt(() => void prepared(sql).run(...params)),
    transaction(work) {
      // IMMEDIATE takes the write lock before the first read, so that what a check has read cannot
      // change under it, and a second process waits here instead of failing halfway.
      attempt(() => database.exec("BEGIN IMMEDIATE"));
      try {
        const result = work();
        attempt(() => database.exec("COMMIT"));
        return result;
      } catch (error) {
        try {
          database.exec("ROLLBACK");
        } catch {
          // SQLite has rolled back by itself, as it does when the disk is full; `error` says why.
        }
        throw error;
      }
    },
  };
}

/** Runs one step in the database; SQLite tells a full disk, a lock and a closed file in its own way. */
function attempt<T>(step: () => T): T {
  try {
    return step();
  } catch (cause) {
    throw new GatewayError(
      "store_unavailable",
      "Cannot use the store: its file is locked by another process, closed, or the disk is full",
      { cause },
    );
  }
}

/**
 * Makes the file with mode 0600, or narrows it; SQLite gives its journal files the same mode. A file
 * that is there is never opened here: closing it would drop the locks that this process holds on it.
 */
function restrictToOwner(path: string): void {
  const fs = builtin("node:fs");
  if (fs === undefined) return;
  if (fs.existsSync(path)) fs.chmodSync(path, 0o600);
  else fs.writeFileSync(path, "", { mode: 0o600, flag: "a" });
}

/** A builtin module of the runtime, or `undefined` where there is none of that name. */
function builtin<Name extends keyof Builtins>(name: Name): Builtins[Name] | undefined {
  const { process } = globalThis as {
    process?: { getBuiltinModule?(name: Name): Builtins[Name] | undefined };
  };
  return process?.getBuiltinModule?.(name);
}
