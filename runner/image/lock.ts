/**
 * `mcp-runner.lock`: what the images and packages of a configuration were when they were first used. One
 * JSON file beside the configuration, made to be committed with it.
 *
 *     get → the file, read again if somebody has written it
 *     set → read, add one pin, replace; one process at a time
 *
 * @module
 */
import { readFileSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import * as v from "valibot";
import { GatewayError } from "../../src/errors.ts";
import { printable } from "../../src/log.ts";
import { replaceFile } from "../local/atomic-file.ts";
import { withLock } from "../local/lock.ts";

/** What a reference is pinned to. */
export interface Pin {
  /**
   * `sha256:…` of the registry's manifest, or the id of an image that is from no registry; of a package, a
   * hash over all files that were installed.
   */
  readonly digest: string;
  /** Version of a package. */
  readonly version?: string | undefined;
  /** Hash of a package's archive, as its registry names it: `sha512-…`, `sha256=…`. */
  readonly integrity?: string | undefined;
}

/** The digests of `mcp-runner.lock`, beside the config. */
export interface ImageLock {
  /**
   * @param reference An image with its tag, or `npm:<package>[@version]`, `pypi:<package>[@version]`.
   * @throws {GatewayError} `config_invalid` when somebody has made the file invalid meanwhile.
   */
  get(reference: string): Pin | undefined;
  /** Keeps a pin; resolves when the file is written. */
  set(reference: string, pin: Pin): Promise<void>;
}

/** Largest accepted file, in bytes: some ten thousand pins. */
const MAX_BYTES = 4 * 1024 * 1024;

const ABOUT =
  'Pins what mcp-runner runs; commit it with the configuration. "mcp-runner approve <server>" accepts a change.';

const pin = v.strictObject({
  digest: v.pipe(v.string(), v.regex(/^sha256:[0-9a-f]{64}$/, "is not sha256: and 64 hex digits")),
  version: v.optional(v.pipe(v.string(), v.regex(/^[0-9A-Za-z.+!_-]{1,128}$/))),
  integrity: v.optional(v.pipe(v.string(), v.regex(/^[A-Za-z0-9+/=:-]{1,256}$/))),
});

const lockFile = v.strictObject({
  about: v.optional(v.string()),
  version: v.literal(1, "is of another version of mcp-runner, this one reads version 1"),
  pins: v.record(v.string(), pin),
});

/** Path of the lock that belongs to a configuration file. */
export function lockPath(config: string): string {
  return join(dirname(config), "mcp-runner.lock");
}

/**
 * Opens the lock at `path`; a missing file is an empty one. Where the file cannot be written, pins are kept
 * until this process ends, and `warn` is told once.
 *
 * @throws {GatewayError} `config_invalid` with what is wrong in the file.
 */
export function openImageLock(path: string, warn: (line: string) => void): ImageLock {
  let stamp = "";
  let pins = new Map<string, Pin>();
  const unwritten = new Map<string, Pin>();

  // Synchronous, because it is one small file that another process changes once in a while.
  function refresh(): void {
    const facts = statSync(path, { throwIfNoEntry: false });
    const now = facts === undefined ? "none" : `${facts.ino} ${facts.mtimeMs} ${facts.size}`;
    if (now === stamp) return;
    if (facts !== undefined && facts.size > MAX_BYTES) {
      throw invalid(path, `it has more than ${MAX_BYTES} bytes`);
    }
    pins = facts === undefined
      ? new Map<string, Pin>()
      : parseLock(path, readFileSync(path, "utf8"));
    stamp = now;
  }

  const lock: ImageLock = {
    get(reference) {
      reading(path, refresh);
      return unwritten.get(reference) ?? pins.get(reference);
    },
    async set(reference, value) {
      try {
        await withLock(`${path}.writing`, async () => {
          reading(path, refresh);
          const changed = new Map([...pins, [reference, value]]);
          await replaceFile(path, formatLock(changed));
          pins = changed;
        });
      } catch (error) {
        if (error instanceof GatewayError || !isDenied(error)) throw error;
        if (unwritten.size === 0) {
          warn(
            `Cannot write ${
              printable(path)
            } (${error.code}): images are pinned until mcp-runner ends, make its folder writable to keep them pinned`,
          );
        }
        unwritten.set(reference, value);
      }
    },
  };
  reading(path, refresh);
  return lock;
}

function reading(path: string, read: () => void): void {
  try {
    read();
  } catch (error) {
    if (error instanceof GatewayError) throw error;
    throw invalid(path, `it cannot be read (${(error as NodeJS.ErrnoException).code})`, error);
  }
}

function isDenied(error: unknown): error is NodeJS.ErrnoException {
  const codes = ["EACCES", "EPERM", "EROFS", "ENOENT", "ENOTDIR"];
  return codes.includes((error as NodeJS.ErrnoException).code ?? "");
}

/**
 * Reads the text of a lock.
 *
 * @throws {GatewayError} `config_invalid` with what is wrong in it.
 */
export function parseLock(path: string, text: string): Map<string, Pin> {
  let data: unknown;
  try {
    data = JSON.parse(text);
  } catch (error) {
    const conflict = /^(?:<{7}|={7}|>{7})/m.test(text);
    throw invalid(path, conflict ? "it holds a merge conflict" : "it is not JSON", error);
  }
  const parsed = v.safeParse(lockFile, data, { abortEarly: true });
  if (parsed.success) return new Map(Object.entries(parsed.output.pins));
  const [issue] = parsed.issues;
  throw invalid(path, `${v.getDotPath(issue) ?? "the file"} ${issue.message}`);
}

/** The text of a lock: the same for the same pins, whatever order they came in. */
export function formatLock(pins: ReadonlyMap<string, Pin>): string {
  const sorted = [...pins].toSorted(([a], [b]) => a < b ? -1 : 1);
  const entries = sorted.map(([reference, { digest, version, integrity }]) => [
    reference,
    { digest, version, integrity },
  ]);
  const file = { about: ABOUT, version: 1, pins: Object.fromEntries(entries) as unknown };
  return `${JSON.stringify(file, undefined, 2)}\n`;
}

function invalid(path: string, why: string, cause?: unknown): GatewayError {
  return new GatewayError(
    "config_invalid",
    `Cannot use ${printable(path)}: ${
      printable(why)
    }, restore it, or delete it to pin all images anew`,
    { cause },
  );
}
