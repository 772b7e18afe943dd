/**
 * The kinds of field that a configuration has, as valibot schemas whose messages say what is wrong and
 * what is allowed. All scalars arrive as text (document.ts).
 *
 * @module
 */
import * as v from "valibot";
import { GatewayError } from "../../src/errors.ts";
import { suggest } from "./suggest.ts";

/** One thing that is wrong, as valibot tells it. */
export type Issue = v.BaseIssue<unknown>;

type Field = v.BaseSchema<unknown, unknown, Issue>;

/** Keys that a message lists. */
const MAX_SHOWN = 12;

/** A map with exactly the keys of `entries`. */
export function map<const T extends v.ObjectEntries>(entries: T) {
  const known = Object.keys(entries);
  const shown = known.length <= MAX_SHOWN
    ? known.join(", ")
    : `${known.slice(0, 3).join(", ")} and others of docs/config.md`;
  return v.pipe(
    anyMap(`a map with ${shown}`),
    v.strictObject(entries, (issue) => {
      const key = String(issue.path?.at(-1)?.key);
      if (issue.expected !== "never") return `is missing, add the line "${key}: …"`;
      const meant = suggest(key, known);
      return meant === undefined
        ? `unknown key, allowed are ${shown}`
        : `unknown key, did you mean "${meant}"`;
    }),
  );
}

/** A map whose keys the user chooses; `allowed` shows how such a map is written. */
export function record<const K extends v.BaseSchema<string, string, Issue>, const V extends Field>(
  key: K,
  value: V,
  allowed: string,
) {
  return v.pipe(anyMap(allowed), v.record(key, value));
}

/** A map of anything, whose meaning is described elsewhere; its scalars are text. */
export function free(allowed: string) {
  return anyMap(allowed);
}

/** Any map. The schemas for objects would take a list for one. */
function anyMap(allowed: string) {
  return v.custom<Readonly<Record<string, unknown>>>(
    (it) => typeof it === "object" && it !== null && !Array.isArray(it),
    (issue) => wrong(issue, allowed),
  );
}

/** A list; `allowed` shows how it is written. */
export function list<const T extends Field>(item: T, allowed: string) {
  return v.array(item, (issue) => wrong(issue, allowed));
}

/** Text; `allowed` says which. */
export function text(allowed: string) {
  return v.string((issue) => wrong(issue, allowed));
}

/** Text that `parse` turns into what it means; the message of what `parse` throws is the issue. */
export function parsed<T>(allowed: string, parse: (text: string) => T) {
  return v.pipe(
    text(allowed),
    v.rawTransform<string, T>(({ dataset, addIssue, NEVER }) => {
      try {
        return parse(dataset.value);
      } catch (error) {
        if (!(error instanceof GatewayError)) throw error;
        addIssue({ message: error.message });
        return NEVER;
      }
    }),
  );
}

/** `is a list, write …` for a value of the wrong kind. */
function wrong({ input }: Issue, allowed: string): string {
  return `${kindOf(input)}, write ${allowed}`;
}

function kindOf(input: unknown): string {
  if (input === null || input === undefined) return "has no value";
  if (Array.isArray(input)) return "is a list";
  return typeof input === "object" ? "is a map" : "is text";
}
