/**
 * What clients get of an entry in place of what its server wrote: titles and descriptions without
 * characters that nobody sees and of a bounded length, and pictures that are pictures. Everything else
 * stays as it was, byte for byte; names, values and patterns are what calls are made of.
 *
 * @module
 */
import { GatewayError } from "../../src/errors.ts";
import {
  MAX_SERVER_DEPTH,
  type Outline,
  readString,
  scan,
  spliceObject,
  stringMember,
} from "../../src/mcp/scan.ts";
import type { ListedEntry } from "../server/listed.ts";
import { hasInvisible, withoutInvisible } from "./invisible.ts";
import { NAMED } from "./named-members.ts";

/** Longest title or description that clients get, in UTF-16 code units. */
export const MAX_DESCRIPTION_LENGTH = 4 * 1024;

/** Longest instructions of a server that clients get, in UTF-16 code units. */
export const MAX_INSTRUCTIONS_LENGTH = 16 * 1024;

/** Longest picture that is part of its entry, as text. */
export const MAX_ICON_LENGTH = 64 * 1024;

/** Most members and elements of an entry that is looked through. */
const MAX_KEPT = 200_000;

/** Members that hold words for people and models. */
const WORDS = new Set(["title", "description"]);

/** Members that hold values, or what is nobody's words. */
const VALUES = new Set(["const", "default", "enum", "example", "examples", "pattern", "_meta"]);

/** An escape that may stand for a character that nobody sees, or for a letter of a member's name. */
const ESCAPED = /\\u/;

/** An entry as clients get it. */
export interface CleanEntry {
  readonly raw: string;
  /** What was done to it, each the end of a sentence about it. */
  readonly done: readonly string[];
}

const known = new WeakMap<ListedEntry, CleanEntry>();

/** The entry as clients get it; the same text where nothing has to be done. */
export function cleanEntry(entry: ListedEntry): CleanEntry {
  const before = known.get(entry);
  if (before !== undefined) return before;
  const cleaned = clean(entry);
  known.set(entry, cleaned);
  return cleaned;
}

/** The instructions of a server as clients get them. */
export function cleanInstructions(
  text: string,
): { readonly text: string; readonly done: readonly string[] } {
  const { text: cleaned, count, cut } = shorten(text, MAX_INSTRUCTIONS_LENGTH);
  const done = [
    ...(count > 0 ? [`have ${counted(count, "invisible character")}: removed`] : []),
    ...(cut ? [`have more than ${MAX_INSTRUCTIONS_LENGTH} characters: cut`] : []),
  ];
  return { text: cleaned, done };
}

interface Edit {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

function clean({ raw }: ListedEntry): CleanEntry {
  const suspect = raw.length > MAX_DESCRIPTION_LENGTH || ESCAPED.test(raw) || hasInvisible(raw) ||
    raw.includes('"icons"');
  if (!suspect) return { raw, done: [] };
  let root: Outline;
  try {
    root = scan(raw, { keep: MAX_SERVER_DEPTH, maxDepth: MAX_SERVER_DEPTH, maxKept: MAX_KEPT });
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error;
    // Two members of one name deep inside: which one a reader takes cannot be told.
    return cleanFlat(raw);
  }
  const found = { edits: [] as Edit[], invisible: 0, cut: 0 };
  lookThrough(raw, root, found, "");
  const icons = iconsOf(raw, root);
  const done = told(found, icons.dropped);
  if (icons.edit !== undefined) found.edits.push(icons.edit);
  return { raw: edited(raw, found.edits), done };
}

/** The same for the outermost members alone. */
function cleanFlat(raw: string): CleanEntry {
  const root = scan(raw, { keep: 1, maxDepth: MAX_SERVER_DEPTH });
  const found = { edits: [] as Edit[], invisible: 0, cut: 0 };
  lookThrough(raw, root, found, "");
  const hasIcons = root.members.has("icons");
  const text = edited(raw, found.edits);
  const done = told(found, hasIcons ? 1 : 0);
  if (!hasIcons) return { raw: text, done };
  const again = scan(text, { keep: 1, maxDepth: MAX_SERVER_DEPTH });
  return { raw: spliceObject(text, again, { icons: null }), done };
}

function lookThrough(
  raw: string,
  at: Outline,
  found: { readonly edits: Edit[]; invisible: number; cut: number },
  key: string,
  isNamed = false,
): void {
  if (at.kind === "string" && WORDS.has(key)) {
    const own = readString(raw.slice(at.start, at.end));
    const { text, count, cut } = shorten(own, MAX_DESCRIPTION_LENGTH);
    found.invisible += count;
    if (cut) found.cut++;
    if (text !== own) {
      found.edits.push({ start: at.start, end: at.end, text: JSON.stringify(text) });
    }
    return;
  }
  for (const [name, { value }] of at.members) {
    if (!isNamed && VALUES.has(name)) continue;
    lookThrough(raw, value, found, name, !isNamed && NAMED.has(name));
  }
  for (const element of at.elements) lookThrough(raw, element, found, "");
}

function told(
  { invisible, cut }: { readonly invisible: number; readonly cut: number },
  icons: number,
): readonly string[] {
  return [
    ...(invisible > 0 ? [`has ${counted(invisible, "invisible character")}: removed`] : []),
    ...(cut > 0
      ? [`has ${counted(cut, "text")} of more than ${MAX_DESCRIPTION_LENGTH} characters: cut`]
      : []),
    ...(icons > 0 ? [`has ${counted(icons, "icon")} that may not be shown: dropped`] : []),
  ];
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? "" : "s"}`;
}

function shorten(own: string, limit: number): { text: string; count: number; cut: boolean } {
  // What comes far behind the limit is not looked at.
  const part = own.slice(0, 4 * limit);
  const { text, count } = withoutInvisible(part);
  if (text.length <= limit && part.length === own.length) return { text, count, cut: false };
  const size = `${Math.round(own.length / 1024)} KB`;
  // A pair of surrogates is one character.
  const whole = text.slice(0, limit).replace(/[\ud800-\udbff]$/, "");
  return { text: `${whole}… (cut, ${size})`, count, cut: true };
}

/** What is to stand in place of the icons, if any must go. */
function iconsOf(raw: string, root: Outline): { edit?: Edit; dropped: number } {
  const icons = root.members.get("icons")?.value;
  if (icons === undefined || icons.kind === "literal") return { dropped: 0 };
  const kept = icons.elements.filter((icon) => mayShow(stringMember(raw, icon, "src")));
  const dropped = icons.kind === "array" ? icons.elements.length - kept.length : 1;
  if (dropped === 0) return { dropped };
  const text = `[${kept.map(({ start, end }) => raw.slice(start, end)).join(",")}]`;
  return { edit: { start: icons.start, end: icons.end, text }, dropped };
}

function mayShow(src: string | undefined): boolean {
  if (src === undefined || src.length > MAX_ICON_LENGTH) return false;
  // What a browser would skip before or within the scheme is no part of an address that we show.
  return /^(?:https:\/\/|data:image\/[a-z0-9.+-]+[;,])/i.test(src) && !/[\s\p{Cc}]/u.test(src);
}

function edited(raw: string, edits: readonly Edit[]): string {
  if (edits.length === 0) return raw;
  const parts: string[] = [];
  let at = 0;
  for (const { start, end, text } of edits.toSorted((a, b) => a.start - b.start)) {
    parts.push(raw.slice(at, start), text);
    at = end;
  }
  return parts.join("") + raw.slice(at);
}
