/**
 * Which signatures were found valid: digests of images with the keys that have signed them, kept in the
 * state directory so that a verified image starts without a network. Called by signature.ts.
 *
 * @module
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import * as v from "valibot";
import { replaceFile } from "../local/atomic-file.ts";
import { openHome } from "../local/home.ts";
import { withLock } from "../local/lock.ts";

/** Verdicts of earlier starts; refusals are not kept. */
export interface Verdicts {
  /** Whether one of the keys is known to have signed the image. */
  has(digest: string, fingerprints: readonly string[]): Promise<boolean>;
  /** Keeps a verdict. */
  add(digest: string, fingerprint: string): Promise<void>;
}

/** Most verdicts that are kept; the oldest go. */
const MAX_VERDICTS = 1000;

const verdictFile = v.object({ version: v.literal(1), verified: v.array(v.string()) });

/** The verdicts that are kept in a state directory, which is made when there is one to keep. */
export function openVerdicts(directory: string): Verdicts {
  const path = join(directory, "signatures.json");
  const entry = (digest: string, fingerprint: string) => `${digest} sha256:${fingerprint}`;
  // A file that makes no sense holds no verdict: they are found again.
  async function read(): Promise<string[]> {
    const text = await readFile(path, "utf8").catch(() => "");
    const parsed = v.safeParse(v.pipe(v.string(), v.parseJson(), verdictFile), text);
    return parsed.success ? parsed.output.verified : [];
  }
  return {
    async has(digest, fingerprints) {
      const verified = await read();
      return fingerprints.some((fingerprint) => verified.includes(entry(digest, fingerprint)));
    },
    async add(digest, fingerprint) {
      await openHome(directory);
      await withLock(`${path}.lock`, async () => {
        const added = entry(digest, fingerprint);
        const others = (await read()).filter((other) => other !== added);
        const verified = [...others, added].slice(-MAX_VERDICTS);
        await replaceFile(path, `${JSON.stringify({ version: 1, verified }, undefined, 2)}\n`);
      });
    },
  };
}
