/**
 * Keeps web pages out. The first thing that happens to every request.
 *
 * @module
 */
import { GatewayError } from "../../src/errors.ts";

const LOOPBACK = /^(?:localhost|127\.0\.0\.1|\[::1\])(?::\d{1,5})?$/;

/** Which hosts and web pages the worker serves. */
export interface OriginPolicy {
  /** `Host` values that are served beside loopback names; undefined where the platform routes by host. */
  readonly hosts: ReadonlySet<string> | undefined;
  /** Web origins, beside the worker's own, whose pages may send requests. */
  readonly origins: ReadonlySet<string>;
}

/**
 * Refuses what a web page could send by trickery: a foreign `Host` (DNS rebinding) and a foreign
 * `Origin` (MCP 2026-07-28 streamable-http "Security & Endpoint").
 *
 * @throws {GatewayError} `forbidden_host` or `forbidden_origin`.
 */
export function checkOrigin(request: Request, { hosts, origins }: OriginPolicy): void {
  // Deno makes it of whatever the Host header says, and that need not be a URL.
  const url = URL.parse(request.url);
  const host = (request.headers.get("host") ?? url?.host ?? "").toLowerCase();
  const served = (name: string): boolean => LOOPBACK.test(name) || hosts?.has(name) !== false;
  // They differ in requests in absolute form (RFC 9112 §3.2.2), of which nobody honest has need.
  if (url === null || !served(host) || !served(url.host)) {
    throw new GatewayError(
      "forbidden_host",
      "Cannot serve this host: set MCP_RUNNER_URL to the worker's public URL",
    );
  }
  const origin = request.headers.get("origin");
  if (origin === null || origins.has(origin)) return;
  if (origin === `http://${host}` || origin === `https://${host}`) return;
  throw new GatewayError(
    "forbidden_origin",
    "Cannot serve this origin: add it to MCP_RUNNER_ORIGINS to let its pages call",
  );
}

/** Headers of answers that a page of another origin must be able to read. */
const EXPOSED = "Mcp-Session-Id, WWW-Authenticate, MCP-Protocol-Version";

/**
 * The CORS headers for a request of an allowed page (Fetch standard §3.3); none for anything else,
 * so that no other page can read an answer.
 */
export function corsHeaders(
  { headers }: Request,
  { origins }: OriginPolicy,
): Readonly<Record<string, string>> {
  const origin = headers.get("origin");
  if (origin === null || !origins.has(origin)) return {};
  return {
    "access-control-allow-origin": origin,
    "access-control-allow-methods": "POST, DELETE",
    // Echoed, as `Mcp-Param-*` headers can have any name.
    "access-control-allow-headers": headers.get("access-control-request-headers") ?? "",
    "access-control-expose-headers": EXPOSED,
    "access-control-max-age": "600",
    "vary": "Origin",
  };
}

/**
 * The policy that the environment asks for: MCP_RUNNER_URL is the worker's public URL,
 * MCP_RUNNER_ORIGINS a list of web origins, divided by commas.
 *
 * @param routing `loopback`: only loopback names and the public URL's host are served. `platform`:
 * the platform sends us only requests for hosts that the owner has given it.
 * @throws {GatewayError} `usage` for what would silently let nobody in.
 */
export function originPolicy(
  env: Readonly<Record<string, string | undefined>>,
  routing: "loopback" | "platform",
): OriginPolicy {
  const origins = (env["MCP_RUNNER_ORIGINS"] ?? "").split(",").map((origin) => origin.trim());
  return {
    hosts: routing === "loopback" ? readHosts(env["MCP_RUNNER_URL"] ?? "") : undefined,
    origins: new Set(origins.filter((origin) => origin !== "").map(readOrigin)),
  };
}

/** The host of the public URL, as clients may write it: with and without the scheme's own port. */
function readHosts(publicUrl: string): ReadonlySet<string> {
  if (publicUrl === "") return new Set();
  const url = URL.parse(publicUrl);
  const port = url?.protocol === "https:" ? "443" : "80";
  if (url === null || !/^https?:$/.test(url.protocol)) {
    throw new GatewayError(
      "usage",
      `Cannot use MCP_RUNNER_URL: "${publicUrl}" is no URL, write https://edge.example.com`,
    );
  }
  return new Set([url.host, `${url.hostname}:${url.port === "" ? port : url.port}`]);
}

/** An origin as browsers write it. Those of extensions are no URL of the web and stay as they are. */
function readOrigin(text: string): string {
  const url = URL.parse(text);
  if (url !== null && /^https?:$/.test(url.protocol)) return url.origin;
  if (/^[a-z][a-z0-9+.-]*:\/\/[^/*]+$/.test(text)) return text;
  throw new GatewayError(
    "usage",
    `Cannot use MCP_RUNNER_ORIGINS: "${text}" is no origin, write https://app.example.com`,
  );
}
