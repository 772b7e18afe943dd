/**
 * Secrets in `secrets.enc` of the state directory, each encrypted by AES-256-GCM with a nonce of its
 * own, its name bound to it. The key is a random one in `secrets.key`, or derived from MCP_RUNNER_KEY.
 *
 *     {"version":1, "salt"?, "check": <seal of nothing>, "secrets": [{"name", "nonce", "sealed"}]}
 *
 * `salt` says that the key is derived; `check` tells a wrong key from a file that was tampered with.
 *
 * @module
 */
import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import * as v from "valibot";
import { GatewayError } from "../../src/errors.ts";
import { replaceFile } from "../local/atomic-file.ts";
import { readPrivateFile } from "../local/private-file.ts";
import { deriveKey, keyFileIn, makeKeyFile, newSalt, readKeyFile } from "./file-key.ts";

const MAX_FILE_BYTES = 64 * 1024 * 1024;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

const base64 = v.pipe(v.string(), v.regex(/^[A-Za-z0-9+/]*={0,2}$/));
const seal = { nonce: base64, sealed: base64 };
const sealedFile = v.strictObject({
  version: v.literal(1),
  salt: v.optional(base64),
  check: v.strictObject(seal),
  secrets: v.array(v.strictObject({ name: v.string(), ...seal })),
});

type Seal = v.InferOutput<v.StrictObjectSchema<typeof seal, undefined>>;
type SealedFile = v.InferOutput<typeof sealedFile>;

/** What the file is opened with. */
export interface SealedFilePlace {
  readonly home: string;
  /** `MCP_RUNNER_KEY`; without it the key is in a file. */
  readonly passphrase: string | undefined;
}

/**
 * The value of one secret; undefined if the file has none of the name.
 *
 * @throws {GatewayError} `store_unavailable`: the key is missing or wrong, the file was changed;
 * `credentials_unsafe`: others can open it.
 */
export async function getSealed(
  place: SealedFilePlace,
  name: string,
): Promise<string | undefined> {
  const file = await readFile(place.home);
  const entry = file?.secrets.find((one) => one.name === name);
  if (file === undefined || entry === undefined) return undefined;
  return open(await keyOf(place, file), entry, name);
}

/**
 * Keeps, or with `undefined` removes, the value of one secret. To be called under the lock of the store.
 * A file of which the key is in a file is encrypted anew once there is a passphrase.
 *
 * @throws {GatewayError} like `getSealed`.
 */
export async function putSealed(
  place: SealedFilePlace,
  name: string,
  value: string | undefined,
): Promise<void> {
  const file = await readFile(place.home);
  const others: (readonly [name: string, value: string])[] = [];
  const key = file && await keyOf(place, file);
  if (file !== undefined && key !== undefined) {
    for (const one of file.secrets) {
      if (one.name !== name) others.push([one.name, open(key, one, one.name)]);
    }
  }
  const next = key !== undefined && (file?.salt !== undefined || !place.passphrase)
    ? { salt: file?.salt, key }
    : await newKey(place);
  const all = value === undefined ? others : [...others, [name, value] as const];
  const text: SealedFile = {
    version: 1,
    ...(next.salt !== undefined && { salt: next.salt }),
    check: close(next.key, "", ""),
    secrets: all.map(([each, secret]) => ({ name: each, ...close(next.key, secret, each) })),
  };
  await replaceFile(pathIn(place.home), `${JSON.stringify(text, null, 2)}\n`);
  if (next.salt !== undefined) await rm(keyFileIn(place.home), { force: true });
}

async function newKey(
  { home, passphrase }: SealedFilePlace,
): Promise<{ readonly key: Buffer; readonly salt: string | undefined }> {
  if (!passphrase) {
    return { key: await readKeyFile(home) ?? await makeKeyFile(home), salt: undefined };
  }
  const salt = newSalt();
  return { key: await deriveKey(passphrase, salt), salt: salt.toString("base64") };
}

/** The key of a file, checked to be the right one. */
async function keyOf({ home, passphrase }: SealedFilePlace, file: SealedFile): Promise<Buffer> {
  if (file.salt === undefined) {
    const key = await readKeyFile(home);
    if (key === undefined) {
      throw unusable(
        "its key, secrets.key, is missing: put it back, or remove both and set the secrets again",
      );
    }
    if (!fits(key, file)) {
      throw unusable("the key in secrets.key is not its key, put the right one back");
    }
    return key;
  }
  if (!passphrase) throw unusable("it needs the key that it was made with, set MCP_RUNNER_KEY");
  const key = await deriveKey(passphrase, Buffer.from(file.salt, "base64"));
  if (!fits(key, file)) {
    throw unusable("MCP_RUNNER_KEY is not the key that it was made with, set the right one");
  }
  return key;
}

function fits(key: Buffer, { check }: SealedFile): boolean {
  return tryOpen(key, check, "") !== undefined;
}

function close(key: Buffer, value: string, name: string): Seal {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv("aes-256-gcm", key, nonce).setAAD(boundTo(name));
  const sealed = Buffer.concat([cipher.update(value, "utf8"), cipher.final(), cipher.getAuthTag()]);
  return { nonce: nonce.toString("base64"), sealed: sealed.toString("base64") };
}

function open(key: Buffer, entry: Seal, name: string): string {
  const value = tryOpen(key, entry, name);
  if (value !== undefined) return value;
  throw unusable(
    `the secret "${name}" in it was changed by something else than mcp-runner, set it again`,
  );
}

function tryOpen(key: Buffer, { nonce, sealed }: Seal, name: string): string | undefined {
  const iv = Buffer.from(nonce, "base64");
  const bytes = Buffer.from(sealed, "base64");
  if (iv.length !== NONCE_BYTES || bytes.length < TAG_BYTES) return undefined;
  const end = bytes.length - TAG_BYTES;
  const decipher = createDecipheriv("aes-256-gcm", key, iv, { authTagLength: TAG_BYTES })
    .setAAD(boundTo(name)).setAuthTag(bytes.subarray(end));
  try {
    return decipher.update(bytes.subarray(0, end), undefined, "utf8") + decipher.final("utf8");
  } catch {
    // The only thing that final() throws for: the tag does not fit.
    return undefined;
  }
}

/** What a value is bound to, so that nobody can put it under another name. */
function boundTo(name: string): Buffer {
  return Buffer.from(`mcp-runner secret 1\0${name}`);
}

async function readFile(home: string): Promise<SealedFile | undefined> {
  const text = await readPrivateFile(pathIn(home), MAX_FILE_BYTES);
  if (text === undefined) return undefined;
  const parsed = v.safeParse(v.pipe(v.string(), v.parseJson(), sealedFile), text);
  if (parsed.success) return parsed.output;
  throw unusable("it is not what mcp-runner writes, move it away and set the secrets again");
}

function unusable(why: string): GatewayError {
  return new GatewayError("store_unavailable", `Cannot use secrets.enc: ${why}`);
}

function pathIn(home: string): string {
  return join(home, "secrets.enc");
}
