/**
 * The lists of both eras, answered page by page from what the runners offer.
 *
 * @module
 */
import type { Offer, OfferedList } from "../../src/mcp/offer.ts";
import { grantedEntries } from "./granted.ts";
import { META } from "./introduction.ts";
import { PAGE_LIMITS, type PageLimits, pageOf } from "./page.ts";

/** Milliseconds for which a client may keep a list. */
const LIST_TTL_MS = 5_000;

const LISTS: ReadonlyMap<string, OfferedList> = new Map([
  ["tools/list", "tools"],
  ["prompts/list", "prompts"],
  ["resources/list", "resources"],
  ["resources/templates/list", "resourceTemplates"],
]);

/** What to list, for whom. */
export interface ListRequest {
  readonly list: OfferedList;
  /** Patterns of the caller's grant. */
  readonly granted: readonly string[];
  /** JSON text of `params.cursor`; undefined when absent. */
  readonly cursor: string | undefined;
  /** A modern result says more of itself; a legacy one has what its revision knows. */
  readonly era: "modern" | "legacy";
  readonly limits?: PageLimits | undefined;
}

/** The list that `method` asks for; undefined for a method of another kind. */
export function listOf(method: string): OfferedList | undefined {
  return LISTS.get(method);
}

/**
 * The raw result of a list method: one page.
 *
 * @throws {GatewayError} `invalid_params` for a cursor that this list never gave out.
 */
export function listResult(offers: Iterable<Offer>, request: ListRequest): string {
  const { list, granted, cursor, era, limits = PAGE_LIMITS } = request;
  const { entries, next } = pageOf(grantedEntries(offers, list, granted), list, cursor, limits);
  const members = [
    ...(era === "modern" ? ['"resultType":"complete"'] : []),
    `"${list}":[${entries.map(({ raw }) => raw).join(",")}]`,
    ...(next === undefined ? [] : [`"nextCursor":"${next}"`]),
    ...(era === "modern" ? [`"ttlMs":${LIST_TTL_MS},"cacheScope":"private","_meta":${META}`] : []),
  ];
  return `{${members.join(",")}}`;
}
