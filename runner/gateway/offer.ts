import { GatewayError } from "../../src/errors.ts";
import { type OfferedEntry, type OfferedServer, unlistedServer } from "../../src/mcp/offer.ts";
import { MAX_SERVER_DEPTH, scan, spliceObject } from "../../src/mcp/scan.ts";
import { cleanEntry, cleanInstructions } from "../policy/entry-text.ts";
import type { ListedEntry } from "../server/listed.ts";
import type { Catalogue } from "./catalogue.ts";
import type { GatewayServer } from "./gateway-server.ts";
import type { NameTable } from "./name-table.ts";
import { rewriteToolUris } from "./rewrite.ts";
import type { ExposeUri, UriTarget } from "./uri-space.ts";

/** What callers may use of a server: its allowed entries under the names and URIs that they see. */
export function offerOf(entry: GatewayServer, { tools, prompts, uris }: Catalogue): OfferedServer {
  const { server: { name, lists }, prefix, rules, redact = (text) => text } = entry;
  if (lists === undefined) return unlistedServer(name, prefix);
  const expose = uris.rewriting.get(name);
  const clean = (entries: readonly OfferedEntry[]): readonly OfferedEntry[] =>
    entries.map(({ key, raw }) => ({ key, raw: redact(raw) }));
  const raws = (list: "resources" | "resourceTemplates"): ReadonlyMap<string, string> =>
    new Map(lists[list].map((one) => [one.key, cleanEntry(one).raw]));
  return {
    name,
    prefix,
    listed: true,
    reads: lists.reads && rules.resources.allow.length > 0,
    instructions: JSON.parse(
      redact(JSON.stringify(cleanInstructions(lists.instructions).text)),
    ) as string,
    tools: clean(named(entry, tools, expose)),
    prompts: clean(named(entry, prompts, undefined)),
    resources: clean(located(entry, uris.resources, { raws: raws("resources"), member: "uri" })),
    resourceTemplates: clean(
      located(entry, uris.templates, { raws: raws("resourceTemplates"), member: "uriTemplate" }),
    ),
  };
}

function named(
  server: GatewayServer,
  { targets }: NameTable,
  expose: ExposeUri | undefined,
): readonly OfferedEntry[] {
  const entries: OfferedEntry[] = [];
  for (const [key, target] of targets) {
    if (target.server !== server) continue;
    const entry = exposed(target.entry, key);
    entries.push(expose === undefined ? entry : { key, raw: withUris(entry.raw, expose) });
  }
  return entries;
}

/** Entries under the names that they were seen by last: whatever changes, the whole offer is made anew. */
const seen = new WeakMap<ListedEntry, OfferedEntry>();

function exposed(entry: ListedEntry, key: string): OfferedEntry {
  const before = seen.get(entry);
  if (before?.key === key) return before;
  const raw = renamed(cleanEntry(entry).raw, "name", { own: entry.key, exposed: key });
  const made = { key, raw };
  seen.set(entry, made);
  return made;
}

function located(
  server: GatewayServer,
  targets: ReadonlyMap<string, UriTarget>,
  { raws, member }: { readonly raws: ReadonlyMap<string, string>; readonly member: string },
): readonly OfferedEntry[] {
  const entries: OfferedEntry[] = [];
  for (const [key, target] of targets) {
    const raw = raws.get(target.own);
    if (target.server !== server || raw === undefined) continue;
    entries.push({ key, raw: renamed(raw, member, { own: target.own, exposed: key }) });
  }
  return entries;
}

/** The object with its exposed name; everything else stays as the server wrote it. */
function renamed(
  raw: string,
  member: string,
  { own, exposed }: { readonly own: string; readonly exposed: string },
): string {
  if (own === exposed) return raw;
  const outline = scan(raw, { keep: 1, maxDepth: MAX_SERVER_DEPTH });
  return spliceObject(raw, outline, { [member]: JSON.stringify(exposed) });
}

/** A tool with its page as clients see it; one that cannot be read so far down is left as it is. */
function withUris(raw: string, expose: ExposeUri): string {
  try {
    return rewriteToolUris(raw, expose);
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error;
    return raw;
  }
}
