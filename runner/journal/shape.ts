/**
 * The shape of a call's arguments: names and kinds, and how long things are, never a value. It is made for
 * the call log after the call, from the outline that the gateway has anyway.
 *
 * @module
 */
import { MAX_SERVER_DEPTH, type Outline, readString, scan } from "../../src/mcp/scan.ts";

/** A kind such as `string(12)`, `array(3)`, `number`; for an object the shapes of its members. */
export type Shape = string | { readonly [member: string]: Shape };

/** Levels of objects that are shown. */
const MAX_DEPTH = 3;

/** Members of one object, and of all together, that are shown. */
const MAX_MEMBERS = 20;
const MAX_ALL = 100;

/** Longest object, array or string that is read again to see its inside, in UTF-16 code units. */
const MAX_READ = 16 * 1024;

/** The same for all of one call: what is larger costs more time than its shape is worth. */
const MAX_ALL_READ = 64 * 1024;

/** What programmers call things. All other keys may be values: addresses, names of people, tokens. */
const NAME = /^[A-Za-z_$][\w$.-]{0,39}$/;

/** Digits in a row, or in all, that no programmer writes into a name. */
const NUMBERED = /\d{5}|(?:\d.*){8}/;

/** Names what is left out of an object. */
const REST = "…";

/**
 * The shape of the value at `outline` of `text`.
 *
 * @param outline Of a text that was outlined as far as its own members.
 */
export function shapeOf(text: string, outline: Outline): Shape {
  const budget = { members: MAX_ALL, read: MAX_ALL_READ };
  return shape(text.slice(outline.start, outline.end), outline, { depth: 1, budget });
}

/** Where the walk is. */
interface Walk {
  readonly depth: number;
  readonly budget: Budget;
}

/** What may still be done for this call. */
interface Budget {
  members: number;
  read: number;
}

/** The shape of `value`, whose outline has its place in a longer text. */
function shape(value: string, outline: Outline, walk: Walk): Shape {
  switch (outline.kind) {
    case "string":
      return `string(${lengthOf(value)})`;
    case "number":
      return "number";
    case "literal":
      return value === "null" ? "null" : "boolean";
    case "array": {
      const inside = read(value, walk.budget);
      return inside === undefined ? "array" : `array(${inside.elements.length})`;
    }
    case "object":
      return objectShape(value, outline, walk);
  }
}

function objectShape(value: string, given: Outline, { depth, budget }: Walk): Shape {
  if (depth > MAX_DEPTH) return "object";
  // Its members are there if the text was outlined so far; an empty map may also mean that it was not.
  const kept = given.members.size > 0;
  const outline = kept ? given : read(value, budget);
  if (outline === undefined) return "object";
  const base = kept ? given.start : 0;
  const members: [string, Shape][] = [];
  let hidden = 0;
  for (const [key, { value: inner }] of outline.members) {
    if (
      members.length >= MAX_MEMBERS || budget.members <= 0 || !NAME.test(key) || NUMBERED.test(key)
    ) {
      hidden++;
      continue;
    }
    budget.members--;
    const text = value.slice(inner.start - base, inner.end - base);
    members.push([key, shape(text, inner, { depth: depth + 1, budget })]);
  }
  if (hidden > 0) members.push([REST, `${hidden} more`]);
  return Object.fromEntries(members);
}

/** The outline of an object or array; undefined for one that is too long, or that has a key twice. */
function read(text: string, budget: Budget): Outline | undefined {
  if (text.length > Math.min(MAX_READ, budget.read)) return undefined;
  budget.read -= text.length;
  try {
    return scan(text, { keep: 1, maxDepth: MAX_SERVER_DEPTH });
  } catch {
    return undefined;
  }
}

/** Characters of a string literal; as written, if it is too long to be read. */
function lengthOf(literal: string): number {
  return literal.length > MAX_READ ? literal.length - 2 : readString(literal).length;
}
