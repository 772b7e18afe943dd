/**
 * How this endpoint introduces itself: in server/discover to modern clients, in the result of
 * initialize to legacy ones.
 *
 * @module
 */
import { SERVER_INFO_KEY } from "../../src/mcp/meta.ts";
import { listNames, type Offer, type OfferedServer } from "../../src/mcp/offer.ts";
import { MODERN_REVISION } from "../../src/mcp/revisions.ts";
import { TASKS_EXTENSION } from "../../src/mcp/tasks-extension.ts";
import { VERSION } from "../../src/version.ts";
import { isGranted } from "./granted.ts";

/** Milliseconds for which a client may keep what server/discover says. */
const DISCOVER_TTL_MS = 300_000;

/** UTF-16 code units of all instructions together, and of one server's. */
const MAX_INSTRUCTIONS_LENGTH = 16 * 1024;
const MAX_SERVER_INSTRUCTIONS_LENGTH = 4 * 1024;

/** How this endpoint names itself to clients (MCP `Implementation`), as JSON text. */
export const SERVER_INFO = JSON.stringify({
  name: "mcp-runner",
  title: "mcp-runner",
  version: VERSION,
});

/** `_meta` of a modern result that the home itself gives, as JSON text. */
export const META = `{${JSON.stringify(SERVER_INFO_KEY)}:${SERVER_INFO}}`;

/** What clients of every revision may use; the same whatever is offered now, as that may change. */
const CAPABILITIES = {
  tools: { listChanged: true },
  prompts: { listChanged: true },
  resources: { subscribe: true, listChanged: true },
  completions: {},
  logging: {},
};

/** Extensions of MCP 2026-07-28. That of user interfaces is declared by clients alone. */
const EXTENSIONS = { [TASKS_EXTENSION]: {} };

const NAMES = "Tools and prompts of several MCP servers: each is named <server>__<tool>, " +
  "unless its server was given another prefix.";

/** The `capabilities` of the result of initialize, as JSON text. */
export function legacyCapabilities(): string {
  return JSON.stringify(CAPABILITIES);
}

/** The raw result of server/discover (MCP 2026-07-28 server/discover). */
export function discoverResult(offers: Iterable<Offer>, granted: readonly string[]): string {
  const capabilities = JSON.stringify({ ...CAPABILITIES, extensions: EXTENSIONS });
  return `{"resultType":"complete","supportedVersions":["${MODERN_REVISION}"],` +
    `"capabilities":${capabilities},` +
    `"instructions":${JSON.stringify(instructionsFor(offers, granted))},` +
    `"ttlMs":${DISCOVER_TTL_MS},"cacheScope":"private","_meta":${META}}`;
}

/**
 * What models are to know of the use of this endpoint: our own sentence, then the instructions of each
 * server of which `granted` lets the caller see something, under its name.
 */
export function instructionsFor(offers: Iterable<Offer>, granted: readonly string[]): string {
  const told = new Set<string>();
  let text = NAMES;
  for (const { servers } of offers) {
    for (const server of servers) {
      const instructions = server.instructions.trim();
      if (instructions === "" || told.has(server.name) || !isSeen(server, granted)) continue;
      told.add(server.name);
      text += `\n\n# ${server.name}\n\n${cut(instructions, MAX_SERVER_INSTRUCTIONS_LENGTH)}`;
    }
  }
  return cut(text, MAX_INSTRUCTIONS_LENGTH);
}

function isSeen(server: OfferedServer, granted: readonly string[]): boolean {
  return listNames().some((list) =>
    server[list].some(({ key }) => isGranted(server, list, key, granted))
  );
}

/** At most `length` code units of `text`, without half a character at the end. */
function cut(text: string, length: number): string {
  if (text.length <= length) return text;
  const end = /[\ud800-\udbff]/.test(text.charAt(length - 2)) ? length - 2 : length - 1;
  return `${text.slice(0, end)}…`;
}
