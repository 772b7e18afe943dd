import { join } from "node:path";
import * as v from "valibot";
import { GatewayError } from "../../src/errors.ts";
import { printable } from "../../src/log.ts";
import { replaceFile } from "../local/atomic-file.ts";
import { readPrivateFile } from "../local/private-file.ts";
import { isHelperName } from "./keychain.ts";
import { SECRET_NAME } from "./reference.ts";

const MAX_FILE_BYTES = 4 * 1024 * 1024;

/** Where secrets can be kept. */
export const STORE_KINDS = ["file", "keychain"] as const;

/** A place that secrets are kept in. */
export type StoreKind = (typeof STORE_KINDS)[number];

const entry = v.strictObject({
  name: v.pipe(v.string(), v.regex(SECRET_NAME)),
  store: v.picklist(STORE_KINDS),
  /** The credential helper of Docker that has it, if it is in a keychain. */
  helper: v.optional(v.pipe(v.string(), v.check(isHelperName))),
  /** When it was last set, ISO 8601 in UTC; never twice the same for a name. */
  changedAt: v.pipe(v.string(), v.isoTimestamp()),
});

const secretIndex = v.strictObject({
  version: v.literal(1),
  /** Where new secrets go; absent until the first is set. */
  store: v.optional(v.picklist(STORE_KINDS)),
  secrets: v.array(entry),
});

/** What is known of a stored secret beside its value. */
export type StoredSecret = Readonly<v.InferOutput<typeof entry>>;

/** Which secrets are stored, and where. */
export type SecretIndex = v.InferOutput<typeof secretIndex>;

/** The file that says which secrets are stored, without values. It is replaced as a whole at every change. */
export function secretIndexPath(home: string): string {
  return join(home, "secrets.json");
}

/**
 * Reads the index; empty if there is none.
 *
 * @throws {GatewayError} `credentials_unsafe` when others can open it, `store_unavailable` when it is not
 * what this program writes.
 */
export async function readIndex(home: string): Promise<SecretIndex> {
  const path = secretIndexPath(home);
  const text = await readPrivateFile(path, MAX_FILE_BYTES);
  if (text === undefined) return { version: 1, secrets: [] };
  const parsed = v.safeParse(v.pipe(v.string(), v.parseJson(), secretIndex), text);
  if (parsed.success) return parsed.output;
  throw new GatewayError(
    "store_unavailable",
    `Cannot read ${
      printable(path)
    }: it is not what mcp-runner writes, move it away and set the secrets again`,
  );
}

/** Replaces the index. To be called under the lock of the store. */
export async function writeIndex(home: string, index: SecretIndex): Promise<void> {
  await replaceFile(secretIndexPath(home), `${JSON.stringify(index, null, 2)}\n`);
}

/**
 * Says whether a stored secret has changed: another text after each `secret set`, undefined while
 * there is none of the name. Throws like `readIndex`.
 */
export async function secretVersion(home: string, name: string): Promise<string | undefined> {
  return (await readIndex(home)).secrets.find((one) => one.name === name)?.changedAt;
}
