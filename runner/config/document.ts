/**
 * YAML text as plain data, with the way back from a place in the data to its place in the text.
 *
 *     text → yaml's nodes → scalars as written, unique keys → data
 *                        ↘ offsetOf(path) for whoever finds a problem in the data
 *
 * @module
 */
import type { Alias, Document, Node, Pair, ParsedNode, Scalar, YAMLError, YAMLMap } from "yaml";
import { type Problem, quote } from "./problem.ts";
import { describeSyntaxError, TOO_DEEP } from "./syntax.ts";

/** Enough for a shared block per server; a bomb needs far more. */
const MAX_ALIASES = 100;

const TOO_MANY_ALIASES = `aliases multiply the text, use an anchor at most ${MAX_ALIASES} times`;

/** Names that JavaScript gives a meaning of its own: the checks that follow would pass over them. */
const RESERVED = new Set(["__proto__", "constructor", "prototype"]);

/** A key is where it is written, a value where it begins. */
type Spot = "key" | "value";

/** What a text holds, or what keeps it from being read. */
interface ReadDocument {
  /**
   * Maps, lists, text and null. Numbers and booleans are the text that was written: `1.10` stays `1.10`.
   * Meaningless when there are problems.
   */
  readonly data: unknown;
  readonly problems: readonly Problem[];
  /** Where `path` is in the text; of a path that is not there, the nearest part that is. */
  offsetOf(path: readonly unknown[], spot: Spot): number;
}

/** Reads one YAML (or JSON) document. Never throws, whatever the text. */
export async function readDocument(text: string): Promise<ReadDocument> {
  // Loaded here: most commands never read a configuration.
  const yaml = await import("yaml");
  const problems: Problem[] = [];
  const complain: Complain = (offset, message) => {
    problems.push({ offset, subject: "yaml", text: message });
  };
  try {
    // Unique keys are checked below: the parser's own check compares each key with each.
    const document = yaml.parseDocument(text, { prettyErrors: false, uniqueKeys: false });
    reportSyntax([...document.errors, ...document.warnings], complain);
    if (problems.length === 0) prepare(yaml, document, complain);
    return {
      data: problems.length === 0 ? document.toJS({ maxAliasCount: MAX_ALIASES }) : undefined,
      problems,
      offsetOf: locator(yaml, document),
    };
  } catch (error) {
    // The parser's own guards: ReferenceError for aliases that multiply, RangeError for depth.
    complain(0, error instanceof ReferenceError ? TOO_MANY_ALIASES : TOO_DEEP);
    return { data: undefined, problems, offsetOf: () => 0 };
  }
}

type Complain = (offset: number, message: string) => void;

function reportSyntax(errors: readonly YAMLError[], complain: Complain): void {
  let last = -1;
  for (const error of errors) {
    const offset = error.pos[0];
    // What follows in the same place is a consequence.
    if (offset !== last) complain(offset, describeSyntaxError(error));
    if (error.code === "RESOURCE_EXHAUSTION") return;
    last = offset;
  }
}

/** Turns scalars into the text that was written, and checks keys and aliases. */
function prepare(yaml: Yaml, document: Parsed, complain: Complain): void {
  const anchors = new Set<string>();
  yaml.visit(document, (_, node) => {
    if (yaml.isAlias(node)) {
      if (!anchors.has(node.source)) {
        complain(start(node), "an alias without its anchor, define it before");
      }
      return;
    }
    if (yaml.isMap(node)) checkKeys(yaml, node.items, complain);
    if (isText(yaml, node)) node.value = node.source;
    if (yaml.isNode(node) && "anchor" in node && node.anchor) anchors.add(node.anchor);
  });
}

type Yaml = typeof import("yaml");
type Parsed = Document.Parsed<ParsedNode, true>;

function checkKeys(
  yaml: Yaml,
  pairs: readonly Pair[],
  complain: Complain,
): void {
  const seen = new Set<string>();
  for (const { key } of pairs) {
    if (!isText(yaml, key)) {
      complain(start(key), "a key that is not text, write name: value");
      continue;
    }
    const name = key.source;
    if (seen.has(name)) {
      complain(start(key), `the key ${quote(name)} is already in this map, keep one of them`);
    } else if (RESERVED.has(name)) {
      complain(start(key), `the key ${quote(name)} is reserved, choose another name`);
    }
    seen.add(name);
  }
}

/** Any scalar but null; the parser keeps the text of each. */
function isText(yaml: Yaml, node: unknown): node is Scalar & { readonly source: string } {
  return yaml.isScalar(node) && node.value !== null && node.source !== undefined;
}

function locator(yaml: Yaml, document: Parsed): ReadDocument["offsetOf"] {
  const indexes = new Map<YAMLMap, Map<string, Pair>>();
  const pairOf = (map: YAMLMap, key: unknown) => {
    const index = indexes.get(map) ?? new Map(map.items.map((pair) => [keyOf(pair), pair]));
    indexes.set(map, index);
    return index.get(String(key));
  };
  return (path, spot) => {
    let node: unknown = document.contents;
    let key: unknown = node;
    for (const part of path) {
      if (yaml.isAlias(node)) node = node.resolve(document);
      if (yaml.isSeq(node)) {
        key = node = node.items[Number(part)];
      } else if (yaml.isMap(node)) {
        const pair = pairOf(node, part);
        // What is missing is missing from what holds it.
        if (pair === undefined) return start(key);
        key = pair.key;
        node = pair.value;
      }
    }
    // The value of `key:` alone has no text of its own.
    return start(spot === "value" && yaml.isNode(node) && !isEmpty(node) ? node : key);
  };
}

/** The key as it is in the data, once prepare() has checked that it is text. */
function keyOf({ key }: Pair): string {
  return String((key as Scalar).value);
}

function isEmpty(node: Node): boolean {
  return node.range?.[0] === node.range?.[1];
}

function start(node: unknown): number {
  return (node as Partial<Node | Alias> | null | undefined)?.range?.[0] ?? 0;
}
