import { setImmediate } from "node:timers/promises";
import { GatewayError } from "../../src/errors.ts";
import { MAX_NAME_LENGTH, MAX_URI_LENGTH } from "../../src/mcp/name.ts";
import { listNames, OFFERED_LISTS, type OfferedList } from "../../src/mcp/offer.ts";
import { MAX_SERVER_DEPTH, type Outline, scan, stringMember } from "../../src/mcp/scan.ts";
import { MAX_PAYLOAD_LENGTH } from "../../src/tunnel/frame.ts";
import { faultOf } from "../policy/entry-fault.ts";
import type { BrokenEntry, ListedEntry } from "./listed.ts";
import type { Peer } from "./peer.ts";
import type { ServerCapabilities } from "./server-capabilities.ts";

/** Pages of a list that are read; a server that gives out more has a loop. */
const MAX_PAGES = 100;

/**
 * Deepest nesting of an entry: far above what schemas need, and far enough below MAX_SERVER_DEPTH for
 * the offer that the entry becomes part of. A worker ends the tunnel over an offer that is too deep.
 */
const MAX_ENTRY_DEPTH = 128;

/** Most entries of one page that are read. */
const MAX_PAGE_ENTRIES = 100_000;

/** Most entries of one list: no model chooses among more, and all other servers wait while they are read. */
export const MAX_ENTRIES: Readonly<Record<OfferedList, number>> = {
  tools: 2_000,
  prompts: 2_000,
  resources: 10_000,
  resourceTemplates: 2_000,
};

/** Entries that are read at a time: between them the calls of other servers go on. */
const STEP = 200;

/** Most broken entries that are told of: enough to find the fault, and no flood. */
const MAX_BROKEN = 100;

const METHODS: Readonly<Record<OfferedList, string>> = {
  tools: "tools/list",
  prompts: "prompts/list",
  resources: "resources/list",
  resourceTemplates: "resources/templates/list",
};

/** The lists that change together, and that one `list_changed` notification is about. */
export type ListKind = "tools" | "prompts" | "resources";

const LISTS_OF: Readonly<Record<ListKind, readonly OfferedList[]>> = {
  tools: ["tools"],
  prompts: ["prompts"],
  resources: ["resources", "resourceTemplates"],
};

/** One list of one process, whole. */
export interface List {
  /** In the server's order. */
  readonly entries: readonly ListedEntry[];
  readonly broken: readonly BrokenEntry[];
}

/** All lists of one process. */
export type Lists = Readonly<Record<OfferedList, List>>;

const EMPTY: List = { entries: [], broken: [] };

/** Lists without an entry. */
export const NO_LISTS: Lists = {
  tools: EMPTY,
  prompts: EMPTY,
  resources: EMPTY,
  resourceTemplates: EMPTY,
};

/** The kinds that a server has. */
export function declaredKinds(capabilities: ServerCapabilities): readonly ListKind[] {
  return (["tools", "prompts", "resources"] as const).filter((kind) => capabilities[kind]);
}

/**
 * Everything that the server lists of these kinds, asked for at once, every page. An entry that nobody
 * could use is left out and told of: one broken tool must not hide the others. A list other than that
 * of tools may fail as a whole without harm to the rest.
 *
 * @param meta JSON text of `_meta` for each request; undefined for none.
 * @throws {GatewayError} `server_failed` with the server's own error or when its tools cannot be read,
 * or why it is gone.
 */
export async function readLists(
  peer: Peer,
  kinds: readonly ListKind[],
  meta?: string,
): Promise<Partial<Lists>> {
  const wanted = listNames().filter((list) => kinds.some((kind) => LISTS_OF[kind].includes(list)));
  const lists = await Promise.all(
    wanted.map(async (list) => [list, await readOrReport(peer, list, meta)] as const),
  );
  return Object.fromEntries(lists);
}

async function readOrReport(peer: Peer, list: OfferedList, meta?: string): Promise<List> {
  if (list === "tools") return await readList(peer, list, meta);
  try {
    return await readList(peer, list, meta);
  } catch (error) {
    if (!(error instanceof GatewayError) || peer.lost) throw error;
    // Many servers have resources and know nothing of templates.
    if (list === "resourceTemplates") return EMPTY;
    return { entries: [], broken: [{ list, key: "", why: error.message }] };
  }
}

/**
 * One list of the server, every page.
 *
 * @param meta JSON text of `_meta` for each request; undefined for none.
 * @throws {GatewayError} `server_failed` with the server's own error or when the list cannot be read,
 * or why it is gone.
 */
export async function readList(peer: Peer, list: OfferedList, meta?: string): Promise<List> {
  const entries = new Map<string, ListedEntry>();
  const broken: BrokenEntry[] = [];
  let length = 0;
  let seen = 0;
  let cursor: string | undefined;
  for (let page = 0; page < MAX_PAGES && length <= MAX_PAYLOAD_LENGTH; page++) {
    const result = await peer.request(METHODS[list], pageParams(cursor, meta));
    const root = readPage(peer, list, result);
    for (const { start, end } of root.members.get(list)?.value.elements ?? []) {
      if (++seen > MAX_ENTRIES[list]) {
        const why = `is one of more than ${MAX_ENTRIES[list]}: the rest is left out`;
        return { entries: [...entries.values()], broken: [{ list, key: "", why }, ...broken] };
      }
      if (seen % STEP === 0) await setImmediate();
      length += end - start;
      const { key, why } = judge(list, result.slice(start, end));
      const fault = why ?? (length > MAX_PAYLOAD_LENGTH ? "is too large" : undefined) ??
        (entries.has(key) ? "is listed twice" : undefined);
      if (fault === undefined) entries.set(key, { key, raw: result.slice(start, end) });
      else if (broken.length < MAX_BROKEN) broken.push({ list, key, why: fault });
    }
    const next = nextCursor(result, root);
    if (next === undefined || next === cursor) break;
    cursor = next;
  }
  return { entries: [...entries.values()], broken };
}

function pageParams(cursor: string | undefined, meta: string | undefined): string {
  const members = [
    ...(cursor === undefined ? [] : [`"cursor":${cursor}`]),
    ...(meta === undefined ? [] : [`"_meta":${meta}`]),
  ];
  return `{${members.join(",")}}`;
}

function readPage(peer: Peer, list: OfferedList, result: string): Outline {
  try {
    return scan(result, { keep: 2, maxDepth: MAX_SERVER_DEPTH, maxKept: MAX_PAGE_ENTRIES });
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error;
    throw peer.failure(`its list of ${list} cannot be read`);
  }
}

/** Whether an entry that was kept is still one that a server may list. */
export function isUsable(list: OfferedList, { key, raw }: ListedEntry): boolean {
  try {
    const { key: own, why } = judge(list, raw);
    return why === undefined && own === key;
  } catch {
    // No JSON at all.
    return false;
  }
}

/** The key of an entry and, if it cannot be used, why. */
function judge(list: OfferedList, raw: string): { key: string; why?: string } {
  const member = OFFERED_LISTS[list];
  let outline: Outline;
  try {
    outline = scan(raw, { keep: 1, maxDepth: MAX_ENTRY_DEPTH });
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error;
    return {
      key: "",
      why: error.code === "too_deep" ? "is nested too deep" : "has a member twice",
    };
  }
  const key = stringMember(raw, outline, member) ?? "";
  if (key === "") return { key, why: `has no ${member}` };
  const limit = member === "name" ? MAX_NAME_LENGTH : MAX_URI_LENGTH;
  if (key.length > limit) {
    return { key: key.slice(0, limit), why: `has a ${member} of more than ${limit} characters` };
  }
  if (list !== "tools") return judged(list, key, { raw, root: outline });
  const schema = outline.members.get("inputSchema")?.value;
  if (schema === undefined) return { key, why: "has no inputSchema" };
  return schema.kind === "object"
    ? judged(list, key, { raw, root: outline })
    : { key, why: "has an inputSchema that is no object" };
}

function judged(
  list: OfferedList,
  key: string,
  entry: { readonly raw: string; readonly root: Outline },
): { key: string; why?: string } {
  const why = faultOf(list, key, entry);
  return why === undefined ? { key } : { key, why };
}

/** The cursor of the next page as JSON text; undefined on the last page. */
function nextCursor(result: string, root: Outline): string | undefined {
  const cursor = root.members.get("nextCursor")?.value;
  return cursor?.kind === "string" ? result.slice(cursor.start, cursor.end) : undefined;
}
