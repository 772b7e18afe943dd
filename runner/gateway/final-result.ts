/**
 * Results as callers get them. MCP 2026-07-28 wants members that older servers do not give; they are put
 * in front of what the server wrote, which stays as it is.
 *
 * @module
 */
import { GatewayError } from "../../src/errors.ts";
import { SERVER_INFO_KEY } from "../../src/mcp/meta.ts";
import { MAX_SERVER_DEPTH, type Member, readString, scan } from "../../src/mcp/scan.ts";
import { VERSION } from "../../src/version.ts";

/** JSON text of the `_meta` members that name us where a server does not name itself. */
const SERVER_INFO = `${JSON.stringify(SERVER_INFO_KEY)}:${
  JSON.stringify({ name: "mcp-runner", version: VERSION })
}`;

/** Longest `resultType` that is passed on: as long as a frame takes it. */
const MAX_RESULT_TYPE_LENGTH = 128;

/** A result that is ready for its caller. */
export interface FinalResult {
  readonly text: string;
  /** As in it; `complete` where it says nothing. */
  readonly resultType: string;
}

/**
 * The result for a modern caller: it says what it is and who answered, and a resource for how long it
 * is good (MCP 2026-07-28 basic/index "Results", server/utilities/caching).
 *
 * @param members Of the result's outline.
 */
export function finalResult(
  result: string,
  members: ReadonlyMap<string, Member>,
  method: string,
): FinalResult {
  const resultType = resultTypeOf(result, members);
  const added: string[] = [];
  if (!members.has("resultType")) added.push('"resultType":"complete"');
  if (!members.has("_meta")) added.push(`"_meta":{${SERVER_INFO}}`);
  if (method === "resources/read" && resultType === "complete") {
    if (!members.has("ttlMs")) added.push('"ttlMs":0');
    if (!members.has("cacheScope")) added.push('"cacheScope":"private"');
  }
  const named = withServerInfo(result, members);
  const rest = members.size === 0 ? "}" : `,${named.slice(1)}`;
  return { text: added.length === 0 ? named : `{${added.join(",")}${rest}`, resultType };
}

/**
 * The type that a result says it has; `complete` if it says nothing.
 *
 * @throws {GatewayError} `server_failed` for one that no frame can carry: it would end the tunnel.
 */
export function resultTypeOf(result: string, members: ReadonlyMap<string, Member>): string {
  const value = members.get("resultType")?.value;
  if (value?.kind !== "string") return "complete";
  const base = baseOf(result, members);
  const resultType = readString(result.slice(value.start - base, value.end - base));
  if (resultType.length <= MAX_RESULT_TYPE_LENGTH) return resultType;
  throw new GatewayError(
    "server_failed",
    `Cannot pass on the answer of the server: its resultType is longer than ${MAX_RESULT_TYPE_LENGTH}`,
    { executed: "yes" },
  );
}

/** Whether a result of tools/call says that the tool has failed (MCP 2026-07-28 server/tools "Error Handling"). */
export function isErrorResult(result: string, members: ReadonlyMap<string, Member>): boolean {
  const value = members.get("isError")?.value;
  return value?.kind === "literal" &&
    result.startsWith("true", value.start - baseOf(result, members));
}

/** An InputRequiredResult needs `_meta` as well; it is small, and has none as a rule. */
export function serverInfoMember(): string {
  return `{${SERVER_INFO}}`;
}

function withServerInfo(result: string, members: ReadonlyMap<string, Member>): string {
  const meta = members.get("_meta")?.value;
  if (meta?.kind !== "object") return result;
  const base = baseOf(result, members);
  const [start, end] = [meta.start - base, meta.end - base];
  const text = result.slice(start, end);
  const own = membersOf(text);
  if (own === undefined || own.has(SERVER_INFO_KEY)) return result;
  const empty = own.size === 0;
  return `${result.slice(0, start)}{${SERVER_INFO}${empty ? "" : ","}${text.slice(1)}${
    result.slice(end)
  }`;
}

/** Keys may be written with escapes; undefined for an object with a key twice, which stays as it is. */
function membersOf(text: string): ReadonlyMap<string, Member> | undefined {
  try {
    return scan(text, { keep: 1, maxDepth: MAX_SERVER_DEPTH }).members;
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error;
    return undefined;
  }
}

/** Where the result began in the text that was outlined: its first key is the first quote of both. */
function baseOf(result: string, members: ReadonlyMap<string, Member>): number {
  const [first] = members.values();
  return first === undefined ? 0 : first.keyStart - result.indexOf('"');
}
