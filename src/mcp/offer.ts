/**
 * The offer: what a runner makes known to the home of its tunnel. Lists are answered from it, also
 * while the runner is away. Entries stay the raw text that their server gave, under the names and URIs
 * that clients see.
 *
 * @module
 */
import * as v from "valibot";
import { GatewayError } from "../errors.ts";
import { MAX_NAME_LENGTH, MAX_URI_LENGTH, SERVER_NAME } from "./name.ts";
import { MAX_SERVER_DEPTH, type Outline, rawMember, scan, stringMember } from "./scan.ts";

/** The lists of MCP that an offer answers, by their member in a result and in an offer. */
export const OFFERED_LISTS = {
  tools: "name",
  prompts: "name",
  resources: "uri",
  resourceTemplates: "uriTemplate",
} as const;

/** One of the lists of an offer. */
export type OfferedList = keyof typeof OFFERED_LISTS;

/** A tool, prompt, resource or resource template that a runner offers. */
export interface OfferedEntry {
  /** Name, URI or URI template, as clients see it. */
  readonly key: string;
  /** The whole object with that name or URI, as raw JSON text. */
  readonly raw: string;
}

/** A server that a runner owns. */
export interface OfferedServer extends Readonly<Record<OfferedList, readonly OfferedEntry[]>> {
  readonly name: string;
  /** What the names of its tools and prompts begin with; may be empty. */
  readonly prefix: string;
  /** Whether its lists are known; calls to a server where they are not are left to the runner to answer. */
  readonly listed: boolean;
  /** Whether it has resources at all: it may then read URIs that it does not list. */
  readonly reads: boolean;
  /** What it wants models to know of its use; empty for nothing. */
  readonly instructions: string;
}

/** Everything that one runner offers, in a stable order. */
export interface Offer {
  readonly servers: readonly OfferedServer[];
}

/** Most members and elements that an offer may have down to those of its entries: some 20,000 tools. */
const MAX_KEPT = 200_000;

/** What a runner offers before it has said anything. */
export const EMPTY_OFFER: Offer = { servers: [] };

/** A server of which nothing is known yet. */
export function unlistedServer(name: string, prefix: string): OfferedServer {
  return {
    name,
    prefix,
    listed: false,
    reads: false,
    instructions: "",
    tools: [],
    prompts: [],
    resources: [],
    resourceTemplates: [],
  };
}

const server = v.object({
  name: v.pipe(v.string(), v.regex(SERVER_NAME)),
  prefix: v.pipe(v.string(), v.maxLength(MAX_NAME_LENGTH)),
});

/** The offer as payload of an `offer` frame. */
export function encodeOffer(offer: Offer): string {
  return `{"servers":[${offer.servers.map(encodeServer).join(",")}]}`;
}

function encodeServer(offered: OfferedServer): string {
  const { name, prefix, listed, reads, instructions } = offered;
  const facts = JSON.stringify({ name, prefix, listed, reads, instructions });
  const lists = listNames().map((list) =>
    `"${list}":[${offered[list].map(({ raw }) => raw).join(",")}]`
  );
  return `${facts.slice(0, -1)},${lists.join(",")}}`;
}

/**
 * Reads the payload of an `offer` frame, which comes from a runner and is not trusted.
 *
 * @throws {GatewayError} when the text is not an offer; a single entry without a usable name is left out.
 */
export function decodeOffer(text: string): Offer {
  const root = scan(text, { keep: 5, maxDepth: MAX_SERVER_DEPTH, maxKept: MAX_KEPT });
  return { servers: listMember(root, "servers").map((outline) => decodeServer(text, outline)) };
}

function decodeServer(text: string, outline: Outline): OfferedServer {
  const parsed = v.safeParse(server, {
    name: stringMember(text, outline, "name"),
    prefix: stringMember(text, outline, "prefix"),
  });
  if (!parsed.success) {
    throw new GatewayError("tunnel_protocol", "Cannot read offer: server without a valid name");
  }
  const { name, prefix } = parsed.output;
  const entries = (list: OfferedList) => decodeEntries(text, outline, list, prefix);
  return {
    name,
    prefix,
    listed: rawMember(text, outline, "listed") === "true",
    reads: rawMember(text, outline, "reads") === "true",
    instructions: stringMember(text, outline, "instructions") ?? "",
    tools: entries("tools"),
    prompts: entries("prompts"),
    resources: entries("resources"),
    resourceTemplates: entries("resourceTemplates"),
  };
}

function decodeEntries(
  text: string,
  outline: Outline,
  list: OfferedList,
  prefix: string,
): readonly OfferedEntry[] {
  const member = OFFERED_LISTS[list];
  const named = member === "name";
  const entries: OfferedEntry[] = [];
  for (const entry of listMember(outline, list)) {
    const key = stringMember(text, entry, member);
    if (key === undefined || key === "") continue;
    if (key.length > (named ? MAX_NAME_LENGTH : MAX_URI_LENGTH)) continue;
    if (named && !key.startsWith(prefix)) continue;
    entries.push({ key, raw: text.slice(entry.start, entry.end) });
  }
  return entries;
}

function listMember(outline: Outline, key: string): readonly Outline[] {
  const value = outline.members.get(key)?.value;
  if (value?.kind === "array") return value.elements;
  throw new GatewayError("tunnel_protocol", `Cannot read offer: "${key}" is not a list`);
}

/** The names of the lists, in the order in which they are written. */
export function listNames(): readonly OfferedList[] {
  return Object.keys(OFFERED_LISTS) as OfferedList[];
}
