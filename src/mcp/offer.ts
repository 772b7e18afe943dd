/**
 * The offer: what a runner makes known to the home of its tunnel. Lists are answered from it, also
 * while the runner is away. Tools stay the raw text that their server gave.
 *
 * @module
 */
import * as v from "valibot";
import { GatewayError } from "../errors.ts";
import { MAX_TOOL_NAME_LENGTH, SERVER_NAME } from "./name.ts";
import { MAX_SERVER_DEPTH, type Outline, rawMember, scan, stringMember } from "./scan.ts";

/** A tool that a runner offers. */
export interface OfferedTool {
  /** Qualified name, as clients see it. */
  readonly name: string;
  /** The whole tool object with its qualified name, as raw JSON text. */
  readonly raw: string;
}

/** A server that a runner owns. */
export interface OfferedServer {
  readonly name: string;
  /** Whether its tools are known; calls to a server where they are not are left to the runner to answer. */
  readonly listed: boolean;
  readonly tools: readonly OfferedTool[];
}

/** Everything that one runner offers, in a stable order. */
export interface Offer {
  readonly servers: readonly OfferedServer[];
}

/** Most members and elements that an offer may have down to those of its tools: some 20,000 tools. */
const MAX_KEPT = 200_000;

/** What a runner offers before it has said anything. */
export const EMPTY_OFFER: Offer = { servers: [] };

const serverName = v.pipe(v.string(), v.regex(SERVER_NAME));

/** The offer as payload of an `offer` frame. */
export function encodeOffer(offer: Offer): string {
  const servers = offer.servers.map(({ name, listed, tools }) =>
    `{"name":${JSON.stringify(name)},"listed":${listed},"tools":[${
      tools.map((tool) => tool.raw).join(",")
    }]}`
  );
  return `{"servers":[${servers.join(",")}]}`;
}

/**
 * Reads the payload of an `offer` frame, which comes from a runner and is not trusted.
 *
 * @throws {GatewayError} when the text is not an offer; a single tool without a usable name is left out.
 */
export function decodeOffer(text: string): Offer {
  const root = scan(text, { keep: 5, maxDepth: MAX_SERVER_DEPTH, maxKept: MAX_KEPT });
  return { servers: listMember(root, "servers").map((server) => decodeServer(text, server)) };
}

function decodeServer(text: string, outline: Outline): OfferedServer {
  const name = v.safeParse(serverName, stringMember(text, outline, "name"));
  if (!name.success) {
    throw new GatewayError("tunnel_protocol", "Cannot read offer: server without a valid name");
  }
  const tools: OfferedTool[] = [];
  for (const tool of listMember(outline, "tools")) {
    const toolName = stringMember(text, tool, "name");
    if (toolName === undefined || toolName.length > MAX_TOOL_NAME_LENGTH) continue;
    if (toolName.startsWith(`${name.output}__`)) {
      tools.push({ name: toolName, raw: text.slice(tool.start, tool.end) });
    }
  }
  return { name: name.output, listed: rawMember(text, outline, "listed") === "true", tools };
}

function listMember(outline: Outline, key: string): readonly Outline[] {
  const value = outline.members.get(key)?.value;
  if (value?.kind === "array") return value.elements;
  throw new GatewayError("tunnel_protocol", `Cannot read offer: "${key}" is not a list`);
}
