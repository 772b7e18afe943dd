/**
 * The templates of Docker's catalog: `{{path|function|function:argument}}` within a text.
 *
 *     text → pieces → per term: value at path → functions → text, or one list item per element
 *
 * What is not between `{{` and `}}` stays as it is written. Called by expand.ts for commands, variables,
 * volumes and users, and by commands-server for each call.
 *
 * @module
 */
import { posix, win32 } from "node:path";
import { GatewayError } from "../../src/errors.ts";
import { quote } from "../config/problem.ts";

/** What a term can stand for; undefined: nothing was given. */
export type Value = string | number | boolean | readonly unknown[] | object | null | undefined;

/** What terms are looked up in. */
export interface TemplateScope {
  /** The value at a dotted path such as `server.paths`. */
  readonly lookup: (path: string) => Value;
  /** What `./` and `~/` of the functions for volumes stand for; such paths stay as written without it. */
  readonly paths?: {
    readonly directory: string;
    readonly home: string;
    readonly platform: string;
  };
}

/** A rendered text. */
export interface Rendered {
  readonly text: string;
  /** Whether a term of it had no value, or an empty one. */
  readonly hasGap: boolean;
}

interface Term {
  readonly path: string;
  readonly calls: readonly { readonly name: string; readonly argument: string | undefined }[];
}

type Function = (value: Value, argument: string | undefined, scope: TemplateScope) => Value;

const FUNCTIONS: Readonly<Record<string, Function>> = {
  // One item per element is what a list becomes where its term stands alone.
  into: (value) => isList(value) ? value : isEmpty(value) ? [] : [value],
  first: (value) => (isList(value) ? value[0] as Value : value) ?? "",
  last: (value) => (isList(value) ? value.at(-1) as Value : value) ?? "",
  or: (value, argument = "") => isEmpty(value) ? readDefault(argument) : value,
  volume: (value, _, scope) =>
    each(value, (path) => {
      const host = absolute(path, scope);
      return `${host}:${containerPathOf(host)}`;
    }),
  "volume-target": (value, _, scope) =>
    each(value, (path) => containerPathOf(absolute(path, scope))),
  mount_as: (value, argument) => {
    const path = isList(value) ? value[0] as Value : value;
    return isEmpty(path) ? "" : `${scalarText(path)}:${argument ?? ""}`;
  },
};

/** Functions that cannot do without an argument. */
const NEED_ARGUMENT = ["or", "mount_as"];

/** Longest rendered text, in characters: a list of paths has a hundredth. */
const MAX_RENDERED = 256 * 1024;

/**
 * Renders a template to one text; an element of a list follows the other after a comma.
 *
 * @throws {GatewayError} `config_invalid` for an unknown function, or a term that cannot be read.
 */
export function renderText(template: string, scope: TemplateScope): Rendered {
  let hasGap = false;
  const text = piecesOf(template).map((piece) => {
    if (typeof piece === "string") return piece;
    const value = evaluate(piece, scope);
    if (isEmpty(value)) hasGap = true;
    return isList(value)
      ? value.map((one) => scalarText(one as Value)).join(",")
      : scalarText(value);
  }).join("");
  return { text: bounded(text), hasGap };
}

/**
 * Renders a template to the items of a list: a term that stands alone and is a list gives one item per
 * element, all else is one item.
 *
 * @throws {GatewayError} as `renderText`.
 */
export function renderItems(template: string, scope: TemplateScope): readonly Rendered[] {
  const pieces = piecesOf(template);
  const [only] = pieces;
  if (pieces.length !== 1 || only === undefined || typeof only === "string") {
    return [renderText(template, scope)];
  }
  const value = evaluate(only, scope);
  const items = isList(value) ? value : [value];
  return items.map((item) => ({
    text: bounded(scalarText(item as Value)),
    hasGap: isEmpty(item as Value),
  }));
}

/**
 * The paths that a template looks up, in its order.
 *
 * @throws {GatewayError} as `renderText`.
 */
export function pathsOf(template: string): readonly string[] {
  return piecesOf(template).flatMap((piece) => typeof piece === "string" ? [] : [piece.path]);
}

/** Whether nothing, an empty text or an empty list is given. */
export function isEmpty(value: Value): boolean {
  return value === undefined || value === null || value === "" ||
    (isList(value) && value.length === 0);
}

/** Plain texts and terms, in order. */
function piecesOf(template: string): readonly (string | Term)[] {
  const pieces: (string | Term)[] = [];
  let at = 0;
  while (at < template.length) {
    const open = template.indexOf("{{", at);
    const close = open < 0 ? -1 : template.indexOf("}}", open + 2);
    if (close < 0) {
      pieces.push(template.slice(at));
      break;
    }
    const inside = template.slice(open + 2, close);
    // JSON such as {"a":{"b":1}} holds braces that open nothing.
    const isTerm = /^\s*[A-Za-z0-9_$][A-Za-z0-9_.$-]*\s*(?:\|[^{}]*)?$/.test(inside);
    const end = isTerm ? close + 2 : open + 2;
    if (open > at) pieces.push(template.slice(at, open));
    pieces.push(isTerm ? readTerm(inside) : "{{");
    at = end;
  }
  return pieces;
}

function readTerm(text: string): Term {
  const [path = "", ...calls] = text.split("|").map((part) => part.trim());
  return {
    path,
    calls: calls.map((call) => {
      const colon = call.indexOf(":");
      const name = (colon < 0 ? call : call.slice(0, colon)).trim();
      const argument = colon < 0 ? undefined : call.slice(colon + 1).trim();
      if (!Object.hasOwn(FUNCTIONS, name)) {
        const known = Object.keys(FUNCTIONS).join(", ");
        throw refused(
          `${quote(`{{${text}}}`)} has the unknown function ${quote(name)}, known are ${known}`,
        );
      }
      if (NEED_ARGUMENT.includes(name) && argument === undefined) {
        throw refused(
          `${quote(`{{${text}}}`)} has ${name} without its argument, write ${name}:<value>`,
        );
      }
      return { name, argument };
    }),
  };
}

function evaluate({ path, calls }: Term, scope: TemplateScope): Value {
  return calls.reduce<Value>(
    (value, { name, argument }) => FUNCTIONS[name]?.(value, argument, scope),
    scope.lookup(path),
  );
}

function readDefault(argument: string): Value {
  const [, inside] = /^\[(.*)\]$/.exec(argument) ?? [];
  if (inside === undefined) return argument;
  return inside.trim() === "" ? [] : inside.split(",").map((item) => item.trim());
}

function each(value: Value, change: (path: string) => string): Value {
  const one = (item: unknown) => isEmpty(item as Value) ? "" : change(scalarText(item as Value));
  return isList(value) ? value.map(one) : one(value);
}

function absolute(path: string, { paths }: TemplateScope): string {
  if (paths === undefined) return path;
  const { join, resolve } = paths.platform === "win32" ? win32 : posix;
  if (/^~(?:[\\/]|$)/.test(path)) return join(paths.home, path.slice(1));
  return /^\.{1,2}(?:[\\/]|$)/.test(path) ? resolve(paths.directory, path) : path;
}

/** Where a host path is in the container: the same, a path of Windows with its drive as a folder. */
function containerPathOf(path: string): string {
  const [, drive, rest] = /^([A-Za-z]):[\\/](.*)$/s.exec(path) ?? [];
  return drive === undefined ? path : `/${drive}/${rest?.replaceAll("\\", "/") ?? ""}`;
}

function scalarText(value: Value): string {
  if (value === undefined || value === null) return "";
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

function isList(value: Value): value is readonly unknown[] {
  return Array.isArray(value);
}

function bounded(text: string): string {
  if (text.length <= MAX_RENDERED) return text;
  throw refused(`A rendered text has ${text.length} characters, allowed are ${MAX_RENDERED}`);
}

function refused(message: string): GatewayError {
  return new GatewayError("config_invalid", message);
}
