import { MAX_SERVER_DEPTH, type Member, type Outline, scan } from "../../src/mcp/scan.ts";
import type { Params } from "../server/params.ts";

/**
 * Params with some members set to new raw values or dropped (`null`). What stays is moved, not read
 * again: arguments may be long.
 */
export function withMembers(
  { text, outline }: Params,
  changes: Readonly<Record<string, string | null>>,
): Params {
  const parts: string[] = [];
  const members = new Map<string, Member>();
  let length = 1;
  const add = (
    key: string,
    quoted: string,
    value: string,
    at: (start: number) => Outline,
  ): void => {
    const part = `${quoted}:${value}`;
    if (parts.length > 0) length++;
    members.set(key, { keyStart: length, value: at(length + quoted.length + 1) });
    parts.push(part);
    length += part.length;
  };
  const addNew = (key: string, value: string): void => {
    const read = scan(value, { keep: 1, maxDepth: MAX_SERVER_DEPTH });
    add(key, JSON.stringify(key), value, (start) => moved(read, start));
  };
  for (const [key, { value }] of outline.members) {
    const change = Object.hasOwn(changes, key) ? changes[key] : undefined;
    if (change === null) continue;
    if (change !== undefined) addNew(key, change);
    else {
      add(
        key,
        JSON.stringify(key),
        text.slice(value.start, value.end),
        (start) => moved(value, start - value.start),
      );
    }
  }
  for (const [key, change] of Object.entries(changes)) {
    if (change !== null && !outline.members.has(key)) addNew(key, change);
  }
  return {
    text: `{${parts.join(",")}}`,
    outline: { ...outline, start: 0, end: length + 1, members },
  };
}

function moved(outline: Outline, by: number): Outline {
  if (by === 0) return outline;
  const members = new Map<string, Member>();
  for (const [key, { keyStart, value }] of outline.members) {
    members.set(key, { keyStart: keyStart + by, value: moved(value, by) });
  }
  return {
    kind: outline.kind,
    start: outline.start + by,
    end: outline.end + by,
    members,
    elements: outline.elements.map((element) => moved(element, by)),
  };
}
