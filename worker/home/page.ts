/**
 * Pages of a list. A cursor names the last entry that was given and how many came before, so that the
 * next page goes on behind it also if the list has changed meanwhile, and nothing is kept for it.
 *
 * @module
 */
import { fromBase64Url, toBase64Url } from "../../src/base64url.ts";
import { GatewayError } from "../../src/errors.ts";
import type { OfferedEntry, OfferedList } from "../../src/mcp/offer.ts";

/** How much one page holds. */
export interface PageLimits {
  readonly entries: number;
  /** UTF-16 code units of the entries' text; an entry that is longer is a page by itself. */
  readonly length: number;
}

/** Generous, as many clients never ask for a second page. */
export const PAGE_LIMITS: PageLimits = { entries: 1_000, length: 2 * 1024 * 1024 };

/** One page. */
export interface Page {
  readonly entries: readonly OfferedEntry[];
  /** The cursor of the next page, which needs no escaping; undefined on the last page. */
  readonly next: string | undefined;
}

/**
 * The page of `all` that `cursor` asks for.
 *
 * @param cursor JSON text of the request's cursor; without one, or with the empty one, the first page.
 * @throws {GatewayError} `invalid_params` for one that we never gave out for this list (MCP 2026-07-28
 * server/utilities/pagination "Error Handling").
 */
export function pageOf(
  all: readonly OfferedEntry[],
  list: OfferedList,
  cursor: string | undefined,
  limits: PageLimits,
): Page {
  const start = startOf(all, list, cursor);
  let end = start;
  let length = 0;
  while (end < all.length && end - start < limits.entries) {
    length += all[end]?.raw.length ?? 0;
    if (end > start && length > limits.length) break;
    end++;
  }
  const last = all[end - 1];
  const more = end < all.length && last !== undefined;
  return {
    entries: all.slice(start, end),
    next: more ? encodeCursor(list, last.key, end) : undefined,
  };
}

function startOf(
  all: readonly OfferedEntry[],
  list: OfferedList,
  cursor: string | undefined,
): number {
  if (cursor === undefined) return 0;
  const text: unknown = JSON.parse(cursor);
  if (text === "") return 0;
  const place = typeof text === "string" ? decodeCursor(list, text) : undefined;
  if (place === undefined) throw new GatewayError("invalid_params", "Invalid cursor");
  const { key, given } = place;
  // Mostly it is where it was.
  if (all[given - 1]?.key === key) return given;
  const found = all.findIndex((entry) => entry.key === key);
  // Without it, what came behind it has moved up: rather give one twice than leave one out.
  return found < 0 ? Math.min(given - 1, all.length) : found + 1;
}

function encodeCursor(list: OfferedList, key: string, given: number): string {
  return toBase64Url(new TextEncoder().encode(JSON.stringify([list, key, given])));
}

function decodeCursor(
  list: OfferedList,
  cursor: string,
): { readonly key: string; readonly given: number } | undefined {
  const bytes = fromBase64Url(cursor);
  if (bytes === undefined) return undefined;
  let read: unknown;
  try {
    read = JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    // Base64 of something else: not ours.
    return undefined;
  }
  if (!Array.isArray(read)) return undefined;
  const [of, key, given] = read as readonly unknown[];
  if (of !== list || typeof key !== "string" || !Number.isSafeInteger(given)) return undefined;
  const place = { key, given: Number(given) };
  // Only the spelling that we give out.
  return place.given > 0 && encodeCursor(list, key, place.given) === cursor ? place : undefined;
}
