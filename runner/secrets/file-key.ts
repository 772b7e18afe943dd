import { randomBytes, scrypt } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { GatewayError } from "../../src/errors.ts";
import { printable } from "../../src/log.ts";
import { readPrivateFile } from "../local/private-file.ts";

const KEY_BYTES = 32;

/** About 0.3 s and 128 MiB for each guess (RFC 7914 §2). */
const SCRYPT = { N: 2 ** 17, r: 8, p: 1, maxmem: 256 * 1024 ** 2 };

/** The key that `passphrase` and `salt` stand for. */
export function deriveKey(passphrase: string, salt: Buffer): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    scrypt(passphrase.normalize(), salt, KEY_BYTES, SCRYPT, (error, key) => {
      if (error === null) resolve(key);
      else reject(error);
    });
  });
}

/** A new salt. */
export function newSalt(): Buffer {
  return randomBytes(16);
}

/**
 * The key in `secrets.key` of the state directory; undefined if there is none.
 *
 * @throws {GatewayError} `credentials_unsafe` when others can read it, `store_unavailable` when it is none.
 */
export async function readKeyFile(home: string): Promise<Buffer | undefined> {
  const path = keyFileIn(home);
  const text = await readPrivateFile(path, 1024);
  if (text === undefined) return undefined;
  const key = Buffer.from(text.trim(), "base64url");
  if (key.length === KEY_BYTES) return key;
  throw new GatewayError("store_unavailable", `Cannot use ${printable(path)}: it holds no key`);
}

/** Makes `secrets.key`, readable by this user alone. To be called under the lock of the store. */
export async function makeKeyFile(home: string): Promise<Buffer> {
  const key = randomBytes(KEY_BYTES);
  await writeFile(keyFileIn(home), `${key.toString("base64url")}\n`, { flag: "wx", mode: 0o600 });
  return key;
}

/** Path of the key file. */
export function keyFileIn(home: string): string {
  return join(home, "secrets.key");
}
