import type { Clock } from "../../src/clock.ts";
import { GatewayError } from "../../src/errors.ts";
import type { ServerProcess } from "../server/process.ts";
import type { Redactor } from "../secrets/redactor.ts";
import { openDialer } from "./dial.ts";
import { isLocal, type Lookup, reachOf } from "./guard.ts";
import { HttpClient } from "./http-client.ts";
import type { HeaderFields } from "./mirror.ts";
import { openFetch } from "./oauth/fetch.ts";
import { LoginTokens } from "./oauth/login-tokens.ts";
import type { TokenStore } from "./oauth/token-store.ts";
import type { Environment } from "./proxy.ts";
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
  /** `sse` for an upstream that speaks HTTP+SSE (MCP 2024-11-05) and must be asked for nothing newer. */
  readonly transport?: "sse" | undefined;
  /** Headers of every request, to this origin alone; may hold credentials. Asked for at each connection. */
  readonly headers: () => Promise<Readonly<Record<string, string>>>;
  /** Whether it may be at a private address, or name one. */
  readonly allowPrivate: boolean;
  /** The user's environment, for the proxy that it may name. */
  readonly env: Environment;
  /** Where its login is kept; undefined when it can have none. */
  readonly login?: UpstreamLogin | undefined;
  /** In place of the system's. */
  readonly lookup?: Lookup | undefined;
  readonly clock: Clock;
}

/** The login of an upstream, made by `mcp-runner login`. */
export interface UpstreamLogin {
  /** Name of the server in the config. */
  readonly server: string;
  readonly store: TokenStore;
  /** The secret of the config's client; undefined when that is a public one. */
  readonly clientSecret?: (() => Promise<string>) | undefined;
  /** Gets the tokens, to take them out of logs. */
  readonly redactor: Redactor;
}

/**
 * Connects to a remote MCP server, of any revision and over any of MCP's HTTP transports. Nothing is
 * asked of it yet but a connection.
 *
 * @throws {GatewayError} `config_invalid` for a URL or header that is not used; `address_refused`;
 * `server_failed` naming the host when it cannot be reached; whatever `headers` throws.
 */
export async function launchUpstream(
  { url: text, transport, headers, allowPrivate, env, login, lookup, clock }: UpstreamSpec,
): Promise<ServerProcess> {
  const url = checkUrl(text);
  const checked = checkHeaders(await headers());
  const dialer = await openDialer({ reach: reachOf(url, allowPrivate), env, lookup });
  // Who writes credentials wants these to be used.
  const tokens = login === undefined || Object.hasOwn(checked, "authorization")
    ? undefined
    : new LoginTokens({
      ...login,
      url,
      clientSecret: login.clientSecret,
      fetch: openFetch(dialer, clock),
      clock,
    });
  const http = new HttpClient({ url, headers: checked, dialer, tokens });
  try {
    await http.probe();
  } catch (error) {
    await http.close();
    throw error;
  }
  return new Upstream(http, clock, transport);
}

/**
 * The URL of an upstream, without a fragment.
 *
 * @throws {GatewayError} `config_invalid` for one that is not used.
 */
export function checkUrl(text: string): URL {
  if (!URL.canParse(text)) throw wrong("its URL is not one");
  const url = new URL(text);
  if (url.protocol !== "https:" && !(url.protocol === "http:" && isLocal(url))) {
    throw wrong("its URL must begin with https: unless it is on this machine");
  }
  if (url.username !== "" || url.password !== "") {
    throw wrong("its URL holds credentials, give them in headers");
  }
  url.hash = "";
  return url;
}

/**
 * The headers with their names in lower case, without those that the transport sets.
 *
 * @throws {GatewayError} `config_invalid` naming a header that no request may have.
 */
export function checkHeaders(headers: Readonly<Record<string, string>>): HeaderFields {
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
