/**
 * Adds servers to the text of a config. Everything that somebody has written stays as it is, to the
 * byte: comments, order, quotes.
 *
 * @module
 */
import type { ParseError } from "jsonc-parser";
import type { Document, YAMLMap } from "yaml";
import { GatewayError } from "../../src/errors.ts";

/** What a config begins with that had no file before. */
export const NEW_CONFIG = "version: 1\n\nservers:\n";

/** A server as it is written: its name, and the fields in the order in which they are to stand. */
export interface Entry {
  readonly name: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** How what is new is written. */
const WRITTEN = { lineWidth: 0, flowCollectionPadding: false } as const;

/**
 * The text of a config with `entries` behind its other servers.
 *
 * @param text A config that holds nothing wrong.
 * @throws {GatewayError} `config_invalid` for a name that is there already, or a text that cannot be added to.
 */
export async function addServers(text: string, entries: readonly Entry[]): Promise<string> {
  const yaml = await import("yaml");
  const document = yaml.parseDocument(text);
  const servers = document.get("servers", true);
  for (const { name } of entries) {
    if (!yaml.isMap(servers) || !servers.has(name)) continue;
    throw new GatewayError(
      "config_invalid",
      `Cannot add server "${name}": the config has one of this name, choose another with --name`,
    );
  }
  const block = (indent: number) =>
    entries.map(({ name, fields }) =>
      // In quotes, so that no value ends in lines of its own.
      yaml.stringify({ [name]: fields }, { ...WRITTEN, blockQuote: false })
        .replace(/\n$/, "").split("\n").map((line) => `${" ".repeat(indent)}${line}\n`).join("")
    ).join("");
  if (yaml.isMap(servers) && servers.flow !== true && servers.items.length > 0) {
    return insertBehind(text, servers, block);
  }
  if (text.trimStart().startsWith("{")) {
    const json = await addToJson(text, entries);
    if (json !== undefined) return json;
  }
  if (yaml.isMap(servers) && servers.flow === true) return rewritten(document, entries);
  return appended(text, block(2));
}

/** The text with an empty map where `servers:` has nothing below it, so that it can be checked. */
export async function withServers(text: string): Promise<string> {
  const yaml = await import("yaml");
  const isEmpty = (yaml.parseDocument(text).get("servers") ?? null) === null;
  return isEmpty ? text.replace(/^servers:[ \t]*/m, "servers: {} ") : text;
}

/** Behind the last line of a map of the block style, with the indent of its keys. */
function insertBehind(text: string, map: YAMLMap, block: (indent: number) => string): string {
  const [start = 0, end = 0] = map.range ?? [];
  const indent = start - (text.lastIndexOf("\n", start - 1) + 1);
  // The end of a map is behind its last value, or at the begin of the line that follows.
  const behind = text[end - 1] === "\n" ? end : text.indexOf("\n", end) + 1;
  const at = behind === 0 ? text.length : behind;
  const glue = at === text.length && !text.endsWith("\n") ? "\n" : "";
  return `${text.slice(0, at)}${glue}${block(indent)}${text.slice(at)}`;
}

/** A config that is JSON stays JSON; undefined for another one in braces. */
async function addToJson(text: string, entries: readonly Entry[]): Promise<string | undefined> {
  const { applyEdits, modify, parse } = await import("jsonc-parser");
  const errors: ParseError[] = [];
  parse(text, errors, { disallowComments: true });
  if (errors.length > 0) return undefined;
  const formattingOptions = { insertSpaces: true, tabSize: 2, eol: "\n" };
  return entries.reduce(
    (json, { name, fields }) =>
      applyEdits(json, modify(json, ["servers", name], fields, { formattingOptions })),
    text,
  );
}

/** Servers in braces: the whole map is written anew. */
function rewritten(document: Document, entries: readonly Entry[]): string {
  for (const { name, fields } of entries) {
    document.setIn(["servers", name], document.createNode(fields));
  }
  return document.toString(WRITTEN);
}

/** `servers:` without anything below it, or no such key. */
function appended(text: string, block: string): string {
  const [found] = /^servers:[^\n]*(?:\n|$)/m.exec(text) ?? [];
  if (found === undefined) {
    return `${text}${text === "" || text.endsWith("\n") ? "" : "\n"}servers:\n${block}`;
  }
  const at = text.indexOf(found) + found.length;
  return `${text.slice(0, at)}${found.endsWith("\n") ? "" : "\n"}${block}${text.slice(at)}`;
}
