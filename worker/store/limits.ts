/**
 * What every store refuses, whatever its backend would accept: the smallest common limits, so that
 * data written through one backend can be moved to any other.
 *
 * @module
 */
import type { Change } from "./store.ts";

/** Longest key, in characters. */
const MAX_KEY_LENGTH = 512;

/** Largest value, in bytes of UTF-8: below the 64 KiB of Deno KV, the smallest of the backends. */
export const MAX_VALUE_BYTES = 60 * 1024;

/** Most checks, puts and deletes of one commit together. */
const MAX_CHANGE_SIZE = 100;

/** Entries that `list` returns unless told otherwise. */
export const DEFAULT_LIST_LIMIT = 100;

/** Most entries that `list` returns. */
export const MAX_LIST_LIMIT = 1000;

/**
 * Segments of visible ASCII, divided by single slashes. Backends sort by bytes, by UTF-16 units or by
 * segment; over these keys all three orders pick the same entries for a prefix.
 */
const KEY = /^[!-.0-~]+(?:\/[!-.0-~]+)*$/;

const encoder = new TextEncoder();

/**
 * Refuses a key that some backend would not keep as it is.
 *
 * @throws {RangeError} The message does not repeat the key, which may hold what a peer sent.
 */
export function assertKey(key: string): void {
  if (key.length > MAX_KEY_LENGTH || !KEY.test(key)) {
    throw new RangeError(
      `Cannot use store key: it is not 1 to ${MAX_KEY_LENGTH} visible ASCII characters in segments`,
    );
  }
}

/** Refuses a prefix that does not end at the end of a segment, and a limit that is out of range. */
export function assertList(prefix: string, limit: number): void {
  if (!prefix.endsWith("/")) throw new RangeError('Cannot list store: prefix does not end in "/"');
  assertKey(prefix.slice(0, -1));
  if (!Number.isInteger(limit) || limit < 1 || limit > MAX_LIST_LIMIT) {
    throw new RangeError(`Cannot list store: limit is not a whole number in 1..${MAX_LIST_LIMIT}`);
  }
}

/** Refuses a change that is too large, contradicts itself, or holds a bad key, version or life. */
export function assertChange({ check = [], set = [], del = [] }: Change): void {
  if (check.length + set.length + del.length > MAX_CHANGE_SIZE) {
    throw new RangeError(`Cannot commit change: it has more than ${MAX_CHANGE_SIZE} parts`);
  }
  for (const { key, version } of check) {
    assertKey(key);
    if (!Number.isSafeInteger(version) || version < 0) {
      throw new RangeError("Cannot commit change: checked version is not a whole number from 0");
    }
  }
  for (const { value, ttlMs } of set) {
    // UTF-8 is never shorter than UTF-16 in units, so the cheap test comes first.
    if (value.length > MAX_VALUE_BYTES || encoder.encode(value).length > MAX_VALUE_BYTES) {
      throw new RangeError(`Cannot commit change: value is longer than ${MAX_VALUE_BYTES} bytes`);
    }
    if (ttlMs !== undefined && (!Number.isSafeInteger(ttlMs) || ttlMs < 1)) {
      throw new RangeError(
        "Cannot commit change: life is not a whole number of milliseconds from 1",
      );
    }
  }
  const written = [...set.map(({ key }) => key), ...del];
  written.forEach(assertKey);
  if (new Set(written).size !== written.length) {
    throw new RangeError("Cannot commit change: a key is written twice");
  }
}
