/**
 * Words in what a server says of itself that look as if they were meant to make a model do something
 * else. A hint for the person who reads, no more: who wants to deceive writes other words.
 *
 * @module
 */
import { GatewayError } from "../../src/errors.ts";
import { MAX_SERVER_DEPTH, type Outline, readString, scan } from "../../src/mcp/scan.ts";
import type { ListedEntry } from "../server/listed.ts";
import { hasInvisible } from "./invisible.ts";

/** Most characters of a text that are looked at, and most texts of an entry. */
const MAX_LENGTH = 64 * 1024;
const MAX_TEXTS = 10_000;

/** Each without a loop in a loop, so that no text makes one run for long. */
const PATTERNS: ReadonlyArray<readonly [what: string, pattern: RegExp]> = [
  [
    'tells models to ignore what they were told ("ignore previous instructions")',
    /\b(?:ignore|disregard|forget|override)\b.{0,40}\b(?:(?:previous|prior|above|earlier)\b.{0,40}|(?:all|any|other|your)(?: (?:of|the|your|other|system)){0,2} )\b(?:instructions?|prompts?|rules?|messages?)\b/is,
  ],
  [
    'tells models to keep something from the user ("do not tell the user")',
    /\b(?:do not|don't|never|without)\b.{0,30}\b(?:(?:tell|inform|mention|show|reveal|notify|alert)(?:ing)?\b.{0,30}\b(?:(?:the|to|any|a|your) (?:users?|humans?|person)|anyone)|(?:mention|reveal)(?:ing)? this)\b/is,
  ],
  [
    "has tags that look like those of a system prompt",
    /<\/?\s*(?:important|system|instructions?|secret|hidden|admin|critical|assistant)\s*>|<\|im_(?:start|end)\|>|\[\/?INST\]/i,
  ],
  ["has a hidden comment (<!-- … -->)", /<!--/],
  [
    "names files with secrets",
    /~\/\.(?:ssh|aws|config|cursor|claude|kube|gnupg)\b|\bid_(?:rsa|ed25519)\b|\/etc\/(?:passwd|shadow)\b|\bmcp\.json\b/i,
  ],
  [
    "says when other tools are to be used",
    /\b(?:before|instead of|whenever|after)\b.{0,30}\b(?:using|calling|invoking|any|every)\b.{0,20}\bother tools?\b/is,
  ],
];

/** What is suspicious in `text`, each the end of a sentence. */
export function suspicions(text: string): readonly string[] {
  const part = text.slice(0, MAX_LENGTH);
  return PATTERNS.flatMap(([what, pattern]) => pattern.test(part) ? [what] : []);
}

const known = new WeakMap<ListedEntry, readonly string[]>();

/** What is suspicious in the texts of an entry, each the end of a sentence. */
export function suspicionsOf(entry: ListedEntry): readonly string[] {
  const before = known.get(entry);
  if (before !== undefined) return before;
  const found = look(entry.raw);
  known.set(entry, found);
  return found;
}

function look(raw: string): readonly string[] {
  let root: Outline;
  try {
    root = scan(raw, { keep: MAX_SERVER_DEPTH, maxDepth: MAX_SERVER_DEPTH, maxKept: 200_000 });
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error;
    return ["cannot be read through: it has members twice"];
  }
  const found = new Set<string>();
  const texts: string[] = [];
  collect(raw, root, texts);
  for (const text of texts) {
    for (const what of suspicions(text)) found.add(what);
    if (hasInvisible(text)) found.add("has characters that nobody sees");
  }
  return [...found];
}

function collect(raw: string, { kind, start, end, members, elements }: Outline, texts: string[]) {
  if (texts.length >= MAX_TEXTS) return;
  if (kind === "string") texts.push(readString(raw.slice(start, end)));
  for (const [name, { value }] of members) {
    texts.push(name);
    collect(raw, value, texts);
  }
  for (const element of elements) collect(raw, element, texts);
}
