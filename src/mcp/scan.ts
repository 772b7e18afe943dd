/**
 * Reads the outline of a JSON text without building its values, so that a payload can be checked and
 * passed on byte for byte: whole-text validation (RFC 8259), a depth limit, and where the members of
 * the outer levels begin and end. One pass, no copies.
 *
 * @module
 */
import { GatewayError } from "../errors.ts";

/** Deepest nesting that a client's message may have. */
export const MAX_DEPTH = 64;

/** Deepest nesting that we follow in what a server prints; far below the stack's limit. */
export const MAX_SERVER_DEPTH = 512;

/** A value's kind and where it stands: `text.slice(start, end)` is the value. */
export interface Outline {
  readonly kind: "object" | "array" | "string" | "number" | "literal";
  readonly start: number;
  readonly end: number;
  /** Members of an object on a kept level; empty elsewhere. */
  readonly members: ReadonlyMap<string, Member>;
  /** Elements of an array on a kept level; empty elsewhere. */
  readonly elements: readonly Outline[];
}

/** A member of an object: where its quoted key begins, and its value. */
export interface Member {
  readonly keyStart: number;
  readonly value: Outline;
}

/** How much of a text to outline. */
export interface ScanOptions {
  /** Levels whose members and elements are kept; deeper ones are only validated. */
  readonly keep: number;
  /** Nesting above which the text is refused with `too_deep`. */
  readonly maxDepth: number;
  /**
   * Members and elements that are kept at most; a text with more is refused. Each takes some hundred
   * bytes, so without a limit a text made of `{}` costs a hundred times its size. None unless given.
   */
  readonly maxKept?: number;
}

const NO_MEMBERS: ReadonlyMap<string, Member> = new Map();
const NO_ELEMENTS: readonly Outline[] = [];
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
/** What a string may hold as it is; one match for a run of it is thrice as fast as a loop. */
// deno-lint-ignore no-control-regex -- JSON forbids exactly these in strings
const PLAIN = /[^"\\\u0000-\u001f]*/y;
const HEX4 = /[0-9a-fA-F]{4}/y;

/**
 * Outlines one JSON text.
 *
 * A key that occurs twice on a kept level is refused: two readers could choose different ones, and
 * the one who checks would not be the one who acts.
 *
 * @throws {GatewayError} `malformed_json`, `too_deep`, or `invalid_request` for a repeated key or too
 * many members.
 */
export function scan(
  text: string,
  { keep, maxDepth, maxKept = Infinity }: ScanOptions,
): Outline {
  let at = 0;
  let kept = 0;

  function fail(): never {
    throw new GatewayError("malformed_json", `Cannot read JSON: unexpected input at offset ${at}`);
  }

  /** Counts one more member or element that is kept. */
  function count(): void {
    if (++kept > maxKept) {
      throw new GatewayError("invalid_request", `Cannot read JSON: too many members (${maxKept})`);
    }
  }

  function space(): void {
    for (; at < text.length; at++) {
      const c = text.charCodeAt(at);
      if (c !== 0x20 && c !== 0x0a && c !== 0x0d && c !== 0x09) return;
    }
  }

  /** Steps over a string whose opening quote is at `at`. */
  function string(): void {
    at++;
    for (;;) {
      PLAIN.lastIndex = at;
      PLAIN.test(text);
      at = PLAIN.lastIndex;
      if (text.charCodeAt(at) === 0x22) {
        at++;
        return;
      }
      if (text.charCodeAt(at) !== 0x5c) fail();
      at += escape();
    }
  }

  /** Length of the escape sequence at `at`. */
  function escape(): number {
    const c = text.charAt(at + 1);
    if (c === "u") {
      HEX4.lastIndex = at + 2;
      return HEX4.test(text) ? 6 : fail();
    }
    return c !== "" && '"\\/bfnrt'.includes(c) ? 2 : fail();
  }

  function literal(word: string): void {
    if (!text.startsWith(word, at)) fail();
    at += word.length;
  }

  function number(): void {
    NUMBER.lastIndex = at;
    if (!NUMBER.test(text)) fail();
    at = NUMBER.lastIndex;
  }

  function object(depth: number): ReadonlyMap<string, Member> {
    const members = depth <= keep ? new Map<string, Member>() : undefined;
    at++;
    space();
    if (text.charCodeAt(at) === 0x7d) {
      at++;
      return members ?? NO_MEMBERS;
    }
    for (;;) {
      const keyStart = at;
      if (text.charCodeAt(at) !== 0x22) fail();
      string();
      const keyEnd = at;
      space();
      if (text.charCodeAt(at) !== 0x3a) fail();
      at++;
      space();
      const inner = value(depth);
      if (members !== undefined) {
        count();
        const key = readString(text.slice(keyStart, keyEnd));
        if (members.has(key)) {
          throw new GatewayError(
            "invalid_request",
            `Cannot read JSON: repeated key at offset ${keyStart}`,
          );
        }
        members.set(key, { keyStart, value: inner });
      }
      space();
      const c = text.charCodeAt(at++);
      if (c === 0x7d) return members ?? NO_MEMBERS;
      if (c !== 0x2c) {
        at--;
        fail();
      }
      space();
    }
  }

  function array(depth: number): readonly Outline[] {
    const elements: Outline[] | undefined = depth <= keep ? [] : undefined;
    at++;
    space();
    if (text.charCodeAt(at) === 0x5d) {
      at++;
      return elements ?? NO_ELEMENTS;
    }
    for (;;) {
      const inner = value(depth);
      if (elements !== undefined) {
        count();
        elements.push(inner);
      }
      space();
      const c = text.charCodeAt(at++);
      if (c === 0x5d) return elements ?? NO_ELEMENTS;
      if (c !== 0x2c) {
        at--;
        fail();
      }
      space();
    }
  }

  function value(depth: number): Outline {
    const start = at;
    let kind: Outline["kind"] = "literal";
    let members = NO_MEMBERS;
    let elements = NO_ELEMENTS;
    switch (text.charCodeAt(at)) {
      case 0x7b:
      case 0x5b:
        if (depth >= maxDepth) {
          throw new GatewayError("too_deep", `Cannot read JSON: too deep (${maxDepth})`);
        }
        if (text.charCodeAt(at) === 0x7b) {
          kind = "object";
          members = object(depth + 1);
        } else {
          kind = "array";
          elements = array(depth + 1);
        }
        break;
      case 0x22:
        kind = "string";
        string();
        break;
      case 0x74:
        literal("true");
        break;
      case 0x66:
        literal("false");
        break;
      case 0x6e:
        literal("null");
        break;
      default:
        kind = "number";
        number();
    }
    return { kind, start, end: at, members, elements };
  }

  space();
  const root = value(0);
  space();
  if (at !== text.length) fail();
  return root;
}

/** The string that a JSON string literal, quotes included, stands for. */
export function readString(literal: string): string {
  return literal.includes("\\") ? String(JSON.parse(literal)) : literal.slice(1, -1);
}

/** The member `key` of an outlined object as a string; undefined if absent or of another kind. */
export function stringMember(text: string, outline: Outline, key: string): string | undefined {
  const value = outline.members.get(key)?.value;
  return value?.kind === "string" ? readString(text.slice(value.start, value.end)) : undefined;
}

/** The raw text of the member `key` of an outlined object; undefined if absent. */
export function rawMember(text: string, outline: Outline, key: string): string | undefined {
  const value = outline.members.get(key)?.value;
  return value === undefined ? undefined : text.slice(value.start, value.end);
}

/**
 * The object's text with some members set to new raw values, dropped (`null`) or added at its end;
 * all the other bytes between its braces stay as they are.
 */
export function spliceObject(
  text: string,
  outline: Outline,
  changes: Readonly<Record<string, string | null>>,
): string {
  const parts: string[] = [];
  for (const [key, { keyStart, value }] of outline.members) {
    const change = Object.hasOwn(changes, key) ? changes[key] : undefined;
    if (change === null) continue;
    parts.push(
      change === undefined ? text.slice(keyStart, value.end) : `${JSON.stringify(key)}:${change}`,
    );
  }
  for (const [key, change] of Object.entries(changes)) {
    if (change !== null && !outline.members.has(key)) {
      parts.push(`${JSON.stringify(key)}:${change}`);
    }
  }
  return `{${parts.join(",")}}`;
}
