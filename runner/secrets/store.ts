import { join } from "node:path";
import { GatewayError } from "../../src/errors.ts";
import type { Log } from "../../src/log.ts";
import { withLock } from "../local/lock.ts";
import {
  readIndex,
  type SecretIndex,
  type StoredSecret,
  type StoreKind,
  writeIndex,
} from "./index-file.ts";
import { configuredHelper, openKeychain } from "./keychain.ts";
import { SECRET_NAME } from "./reference.ts";
import { getSealed, putSealed } from "./sealed-file.ts";

/** Most bytes of a value. */
export const MAX_VALUE_BYTES = 64 * 1024;

/** Where a store is, and what it may ask. */
export interface SecretStorePlace {
  /** The state directory. */
  readonly home: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly log?: Log;
}

/**
 * Secrets by name. All methods throw `usage` for what is no name, `store_unavailable` when the place
 * cannot be used, and `credentials_unsafe` when others can open its files; no message has a value.
 */
export interface SecretStore {
  /** Keeps a value. Without `store` it stays where it is; a new one goes where the others go. */
  set(name: string, value: string, store?: StoreKind): Promise<StoredSecret>;
  /** Undefined if there is none. */
  get(name: string): Promise<string | undefined>;
  has(name: string): Promise<boolean>;
  /** By name; never values. */
  list(): Promise<readonly StoredSecret[]>;
  /** False when there was none. */
  remove(name: string): Promise<boolean>;
}

/**
 * The secrets of a state directory. The first one decides where they are kept: in the keychain if the
 * Docker CLI uses one that works and `MCP_RUNNER_KEY` is not set, else in an encrypted file.
 */
export function openSecretStore({ home, env, log }: SecretStorePlace): SecretStore {
  const place = { home, passphrase: env["MCP_RUNNER_KEY"] || undefined };

  async function locked<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await withLock(join(home, "secrets.lock"), work);
    } catch (cause) {
      if (!(cause instanceof Error) || !("code" in cause) || cause instanceof GatewayError) {
        throw cause;
      }
      throw new GatewayError(
        "store_unavailable",
        `Cannot write to the state directory: the system answers ${String(cause.code)}`,
        { cause },
      );
    }
  }

  async function find(name: string): Promise<StoredSecret | undefined> {
    requireName(name);
    return (await readIndex(home)).secrets.find((one) => one.name === name);
  }

  /** Helpers may wait for their user, and so run before the lock is taken. */
  async function inKeychain(name: string, value: string, known?: string): Promise<string> {
    const helper = known ?? await configuredHelper(env);
    if (helper === undefined) {
      throw new GatewayError(
        "store_unavailable",
        "Cannot use a keychain: the config of the Docker CLI names no credsStore, use --store file",
      );
    }
    await openKeychain(helper, env).set(name, value);
    return helper;
  }

  /** Where a first secret goes; undefined if no keychain took it. */
  async function tryKeychain(name: string, value: string): Promise<string | undefined> {
    if (place.passphrase !== undefined || await configuredHelper(env) === undefined) {
      return undefined;
    }
    try {
      return await inKeychain(name, value);
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      log?.("warn", `${why}; secrets are kept in an encrypted file`);
      return undefined;
    }
  }

  async function set(name: string, value: string, wanted?: StoreKind): Promise<StoredSecret> {
    requireName(name);
    requireValue(value);
    const { store, secrets } = await readIndex(home);
    const old = secrets.find((one) => one.name === name);
    const kind = wanted ?? old?.store ?? store;
    const helper = kind === "keychain"
      ? await inKeychain(name, value, old?.helper)
      : kind === undefined
      ? await tryKeychain(name, value)
      : undefined;
    const stored = await locked(async () => {
      const index = await readIndex(home);
      if (helper === undefined) await putSealed(place, name, value);
      return await note(index, name, helper);
    });
    await dropOld(old, stored);
    return stored;
  }

  async function note(index: SecretIndex, name: string, helper?: string): Promise<StoredSecret> {
    const before = index.secrets.find((one) => one.name === name)?.changedAt;
    const at = Math.max(Date.now(), before === undefined ? 0 : Date.parse(before) + 1);
    const changedAt = new Date(at).toISOString();
    const stored: StoredSecret = helper === undefined
      ? { name, store: "file", changedAt }
      : { name, store: "keychain", helper, changedAt };
    const others = index.secrets.filter((one) => one.name !== name);
    const secrets = [...others, stored].toSorted((a, b) => a.name < b.name ? -1 : 1);
    await writeIndex(home, { ...index, store: index.store ?? stored.store, secrets });
    return stored;
  }

  /** Removes a value from where it is no longer looked for. */
  async function dropOld(old: StoredSecret | undefined, stored: StoredSecret): Promise<void> {
    if (old === undefined || (old.store === stored.store && old.helper === stored.helper)) return;
    await drop(old);
  }

  async function drop({ name, helper }: StoredSecret): Promise<void> {
    if (helper !== undefined) await openKeychain(helper, env).remove(name);
    else await locked(() => putSealed(place, name, undefined));
  }

  return {
    set,
    get: async (name) => {
      const entry = await find(name);
      if (entry === undefined) return undefined;
      return entry.helper === undefined
        ? await getSealed(place, name)
        : await openKeychain(entry.helper, env).get(name);
    },
    has: async (name) => await find(name) !== undefined,
    list: async () => (await readIndex(home)).secrets,
    remove: async (name) => {
      const entry = await find(name);
      if (entry === undefined) return false;
      await drop(entry);
      await locked(async () => {
        const index = await readIndex(home);
        const secrets = index.secrets.filter((one) => one.name !== name);
        await writeIndex(home, { ...index, secrets });
      });
      return true;
    },
  };
}

/** The name is not repeated: somebody may have typed the secret itself. */
function requireName(name: string): void {
  if (SECRET_NAME.test(name)) return;
  throw new GatewayError(
    "usage",
    'Cannot use this name for a secret: 1 to 128 letters, digits, ".", "_" and "-", no patterns',
  );
}

function requireValue(value: string): void {
  const refuse = (why: string) => {
    throw new GatewayError("usage", `Cannot keep this secret: ${why}`);
  };
  if (value === "") refuse("it is empty");
  if (value.includes("\0")) refuse("it has a NUL character, encode it, for example as base64");
  if (!value.isWellFormed()) refuse("it is not Unicode text");
  if (Buffer.byteLength(value) > MAX_VALUE_BYTES) {
    refuse(`it has more than ${MAX_VALUE_BYTES} bytes`);
  }
}
