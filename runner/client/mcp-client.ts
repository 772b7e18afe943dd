/**
 * A small MCP 2026-07-28 client over Streamable HTTP: enough to list and call tools through a worker
 * from the command line. Results stay the text that the server gave.
 *
 * @module
 */
import { GatewayError } from "../../src/errors.ts";
import { printable } from "../../src/log.ts";
import { METHOD_HEADER, NAME_HEADER, namedBy, VERSION_HEADER } from "../../src/mcp/header.ts";
import { CAPABILITIES_KEY, CLIENT_INFO_KEY, VERSION_KEY } from "../../src/mcp/meta.ts";
import { MODERN_REVISION } from "../../src/mcp/revisions.ts";
import { MAX_SERVER_DEPTH, rawMember, scan, stringMember } from "../../src/mcp/scan.ts";
import { VERSION } from "../../src/version.ts";
import { type HeaderFields, mirrored } from "../upstream/mirror.ts";

/** An MCP endpoint and the token for it. */
export interface Endpoint {
  readonly url: string;
  readonly token: string;
}

const META = JSON.stringify({
  [VERSION_KEY]: MODERN_REVISION,
  [CAPABILITIES_KEY]: {},
  [CLIENT_INFO_KEY]: { name: "mcp-runner", version: VERSION },
});

/**
 * Sends one request.
 *
 * @param members Raw JSON text of further members of `params`.
 * @param more Further headers.
 * @returns JSON text of the result.
 * @throws {GatewayError} `tunnel_protocol` when the endpoint cannot be reached or refuses; a JSON-RPC
 * error of the endpoint becomes `server_failed` with its message.
 */
export async function request(
  { url, token }: Endpoint,
  method: string,
  members: Readonly<Record<string, string>> = {},
  more: HeaderFields = {},
): Promise<string> {
  const rest = Object.entries(members).map(([key, raw]) => `,${JSON.stringify(key)}:${raw}`);
  const name = members[namedBy(method) ?? ""];
  const headers = {
    authorization: `Bearer ${token}`,
    "content-type": "application/json",
    accept: "application/json, text/event-stream",
    [VERSION_HEADER]: MODERN_REVISION,
    [METHOD_HEADER]: method,
    ...(name !== undefined && { [NAME_HEADER]: mirrored(String(JSON.parse(name))) }),
    ...more,
  };
  const body = `{"jsonrpc":"2.0","id":1,"method":${JSON.stringify(method)},` +
    `"params":{"_meta":${META}${rest.join("")}}}`;
  const response = await send(url, { method: "POST", headers, body });
  const text = await textOf(url, response);
  const type = response.headers.get("content-type") ?? "";
  return readAnswer(/^text\/event-stream\b/i.test(type) ? lastEvent(text) : text, response.status);
}

async function send(url: string, init: RequestInit): Promise<Response> {
  try {
    return await fetch(url, init);
  } catch (cause) {
    throw new GatewayError("tunnel_protocol", `Cannot reach the worker at ${url}: is it running?`, {
      cause,
    });
  }
}

async function textOf(url: string, response: Response): Promise<string> {
  try {
    return await response.text();
  } catch (cause) {
    throw new GatewayError(
      "tunnel_protocol",
      `The worker at ${url} broke off its answer: the tool may have run`,
      { cause },
    );
  }
}

/** The data of the last event of a finished stream: the response. */
function lastEvent(text: string): string {
  const events = text.split(/\r?\n\r?\n/).filter((event) => /^data:/m.test(event));
  const lines = (events.at(-1) ?? "").split(/\r?\n/).filter((line) => line.startsWith("data:"));
  return lines.map((line) => line.slice(5).trimStart()).join("\n");
}

function readAnswer(text: string, status: number): string {
  let message: string | undefined;
  try {
    const root = scan(text, { keep: 2, maxDepth: MAX_SERVER_DEPTH });
    const result = rawMember(text, root, "result");
    if (result !== undefined) return result;
    const error = root.members.get("error")?.value;
    message = error && stringMember(text, error, "message");
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error;
  }
  throw new GatewayError(
    "server_failed",
    // Words of a server or a worker, which are not trusted, on their way to a terminal.
    printable(message ?? `The worker answered with HTTP ${status}`),
  );
}
