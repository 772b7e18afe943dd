/**
 * The definition of a tool or prompt: what a person agrees to, whatever way it is written down. White
 * space between tokens, the order of members and escapes in texts mean nothing; everything else does.
 *
 * @module
 */
import { hash } from "node:crypto";
import { GatewayError } from "../../src/errors.ts";
import { MAX_SERVER_DEPTH, type Outline, readString, scan } from "../../src/mcp/scan.ts";

/** Most members and elements of a definition that are put in order. */
const MAX_KEPT = 200_000;

/** Hash of the definition with this raw JSON text: SHA-256 of its canonical text, 64 hex digits. */
export function definitionHash(raw: string): string {
  const root = outlineOf(raw);
  // One that has a member twice deep inside has no canonical text: any change of it counts.
  const text = root === undefined ? `raw ${raw}` : canonical(raw, root);
  return hash("sha256", text, "hex");
}

/** The definition in lines, a member or element each, for a person who compares two. */
export function definitionLines(raw: string): readonly string[] {
  const root = outlineOf(raw);
  if (root === undefined) return raw.split("\n");
  const lines: string[] = [];
  write(raw, root, { lines, indent: "", before: "", after: "" });
  return lines;
}

/** Members that are named to people; a server may call others as it likes. */
const MEMBERS = new Set([
  "name",
  "title",
  "description",
  "inputSchema",
  "outputSchema",
  "annotations",
  "icons",
  "arguments",
  "execution",
  "_meta",
]);

/** Which members of a definition are not the same in both, such as ` (description)`; empty if unknown. */
export function changedText(before: string, after: string): string {
  const changed = changedMembers(before, after);
  const known = changed.filter((name) => MEMBERS.has(name));
  const all = known.length < changed.length ? [...known, "other members"] : known;
  return all.length === 0 ? "" : ` (${all.join(", ")})`;
}

function changedMembers(before: string, after: string): readonly string[] {
  const [old, now] = [outlineOf(before), outlineOf(after)];
  if (old === undefined || now === undefined) return [];
  const names = new Set([...old.members.keys(), ...now.members.keys()]);
  const textOf = (raw: string, { members }: Outline, name: string) => {
    const value = members.get(name)?.value;
    return value && canonical(raw, value);
  };
  return [...names].filter((name) => textOf(before, old, name) !== textOf(after, now, name));
}

function outlineOf(raw: string): Outline | undefined {
  try {
    return scan(raw, { keep: MAX_SERVER_DEPTH, maxDepth: MAX_SERVER_DEPTH, maxKept: MAX_KEPT });
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error;
    return undefined;
  }
}

function canonical(raw: string, { kind, start, end, members, elements }: Outline): string {
  switch (kind) {
    case "object":
      return `{${
        [...members].map(([name, { value }]) => `${JSON.stringify(name)}:${canonical(raw, value)}`)
          .toSorted().join(",")
      }}`;
    case "array":
      return `[${elements.map((element) => canonical(raw, element)).join(",")}]`;
    case "string":
      return JSON.stringify(readString(raw.slice(start, end)));
    default:
      return raw.slice(start, end);
  }
}

interface Place {
  readonly lines: string[];
  readonly indent: string;
  readonly before: string;
  readonly after: string;
}

function write(raw: string, at: Outline, { lines, indent, before, after }: Place): void {
  const inner = `${indent}  `;
  const { kind, members, elements } = at;
  const parts = kind === "object"
    ? [...members].toSorted(([a], [b]) => a < b ? -1 : 1).map(([name, { value }]) =>
      [`${JSON.stringify(name)}: `, value] as const
    )
    : kind === "array"
    ? elements.map((element) => ["", element] as const)
    : [];
  if (parts.length === 0) {
    lines.push(...wrapped(`${indent}${before}${canonical(raw, at)}${after}`));
    return;
  }
  lines.push(`${indent}${before}${kind === "object" ? "{" : "["}`);
  for (const [n, [name, value]] of parts.entries()) {
    const comma = n < parts.length - 1 ? "," : "";
    write(raw, value, { lines, indent: inner, before: name, after: comma });
  }
  lines.push(`${indent}${kind === "object" ? "}" : "]"}${after}`);
}

/** A long text in lines of its own: what has changed in it is then found. */
function wrapped(line: string): readonly string[] {
  const pieces = line.split(/(?<=\\n)/);
  return pieces.map((piece, n) => n === 0 ? piece : `    ${piece}`);
}
