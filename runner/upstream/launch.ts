import type { Clock } from "../../src/clock.ts";
import { GatewayError } from "../../src/errors.ts";
import type { ServerProcess } from "../server/process.ts";
import { openDialer } from "./dial.ts";
import { HttpClient } from "./http-client.ts";
import type { HeaderFields } from "./mirror.ts";
import { Upstream } from "./upstream.ts";

/** Headers that the transport sets itself, whatever a config says. */
const OWN_HEADERS = [
  "accept",
  "accept-encoding",
  "connection",
  "content-length",
  "content-type",
  "expect",
  "host",
  "keep-alive",
  "last-event-id",
  "mcp-method",
  "mcp-name",
  "mcp-protocol-version",
  "mcp-session-id",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
];

/** Which upstream, and what it is told with every request. */
export interface UpstreamSpec {
  /** MCP endpoint: `https:`, or `http:` on loopback. */
  readonly url: string;
  /** Sent with every request, to this origin alone; may hold credentials. */
  readonly headers: Readonly<Record<string, string>>;
  readonly clock: Clock;
}

/**
 * Connects to a remote MCP server, of any revision and over any of MCP's HTTP transports. Nothing is
 * asked of it yet but a connection.
 *
 * @throws {GatewayError} `config_invalid` for a URL or header that is not used; `server_failed`
 * naming the host when it cannot be reached.
 */
export async function launchUpstream(
  { url, headers, clock }: UpstreamSpec,
): Promise<ServerProcess> {
  const http = new HttpClient(checkUrl(url), checkHeaders(headers), await openDialer());
  try {
    await http.probe();
  } catch (error) {
    await http.close();
    throw error;
  }
  return new Upstream(http, clock);
}

function checkUrl(text: string): URL {
  if (!URL.canParse(text)) throw wrong("its URL is not one");
  const url = new URL(text);
  const loopback = /^(?:localhost|127(?:\.\d+){3}|\[::1\])$/.test(url.hostname);
  if (url.protocol !== "https:" && !(url.protocol === "http:" && loopback)) {
    throw wrong("its URL must begin with https: unless it is on this machine");
  }
  if (url.username !== "" || url.password !== "") {
    throw wrong("its URL holds credentials, give them in headers");
  }
  url.hash = "";
  return url;
}

/** The headers with their names in lower case, without those that the transport sets. */
function checkHeaders(headers: Readonly<Record<string, string>>): HeaderFields {
  const checked: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    const lower = name.toLowerCase();
    if (!/^[!#$%&'*+\-.^_`|~0-9a-z]+$/.test(lower)) throw wrong("a header has an illegal name");
    if (!/^[\t\x20-\x7e\x80-\xff]*$/.test(value)) {
      throw wrong(`its header "${lower}" has characters that no header may have`);
    }
    if (!OWN_HEADERS.includes(lower) && !lower.startsWith("mcp-param-")) checked[lower] = value;
  }
  return checked;
}

function wrong(what: string): GatewayError {
  return new GatewayError("config_invalid", `Cannot use the upstream: ${what}`);
}
