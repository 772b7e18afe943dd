import { lookup as lookupOf } from "node:dns/promises";
import type { buildConnector, Dispatcher } from "undici";
import { GatewayError } from "../../src/errors.ts";
import { checkTarget, guardedLookup, type Lookup, type Reach } from "./guard.ts";
import { type Environment, proxyOf } from "./proxy.ts";

/** Milliseconds to look up the host, connect and agree on TLS. */
const CONNECT_TIMEOUT_MS = 10_000;

/** Most bytes of headers that an upstream may answer with. */
const MAX_ANSWER_HEADER_BYTES = 16 * 1024;

/** What may go wrong with a connection, by the code of the error, in words. */
const CAUSES: Readonly<Record<string, string>> = {
  ENOTFOUND: "its name is not known, check the URL",
  EAI_AGAIN: "its name cannot be looked up now, check the network",
  ECONNREFUSED: "nothing listens there, check that it runs and the port of the URL",
  ECONNRESET: "it ends connections, check the URL",
  EHOSTUNREACH: "there is no route to it, check the network",
  ENETUNREACH: "there is no route to it, check the network",
  ETIMEDOUT: "it does not answer, check that it runs and the network",
  UND_ERR_CONNECT_TIMEOUT: `it does not answer within ${CONNECT_TIMEOUT_MS / 1000} s, ` +
    "check that it runs and the network",
  EPROTO: "it does not speak TLS there, check the URL",
  ERR_SSL_WRONG_VERSION_NUMBER: "it does not speak TLS there, check the URL",
  CERT_HAS_EXPIRED: "its certificate has expired",
  ERR_TLS_CERT_ALTNAME_INVALID: "its certificate is for another host",
  DEPTH_ZERO_SELF_SIGNED_CERT: "its certificate is not trusted on this machine",
  SELF_SIGNED_CERT_IN_CHAIN: "its certificate is not trusted on this machine",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "its certificate is not trusted on this machine",
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: "its certificate is not trusted on this machine",
};

/** How to connect for one upstream. */
export interface DialOptions {
  readonly reach: Reach;
  /** The user's, for the proxy that it may name. */
  readonly env: Environment;
  /** In place of the system's. */
  readonly lookup?: Lookup | undefined;
}

/** What is sent. */
export interface DialRequest {
  readonly method: "GET" | "POST" | "DELETE";
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | undefined;
  /** Aborts it, and the reading of its answer. */
  readonly signal: AbortSignal;
}

/** Connections for one upstream: to itself, and to whatever it names. */
export interface Dialer {
  readonly reach: Reach;
  /**
   * Sends a request. Redirects are answers like any other.
   *
   * @throws {GatewayError} `address_refused`; `server_failed` naming the host and what to check if
   * there is no connection. Rejects with something else when one breaks.
   */
  request(url: URL, request: DialRequest): Promise<Dispatcher.ResponseData>;
  /**
   * Opens a connection and closes it again; nothing where a proxy is in between.
   *
   * @throws {GatewayError} As `request`.
   */
  probe(url: URL): Promise<void>;
  /** Closes all connections. */
  close(): Promise<void>;
}

/**
 * Makes connections. Every one is opened by the one connector in here: what may be dialled is
 * decided there, by the address that was looked up, and cannot be dodged by a redirect or a name
 * that changes its address. Through a proxy the name alone can be looked at: the address is for the
 * proxy to find.
 */
export async function openDialer(
  { reach, env, lookup = systemLookup }: DialOptions,
): Promise<Dialer> {
  // Loaded here: the command line must not wait for it in commands that dial nothing.
  const { Agent, buildConnector, ProxyAgent } = await import("undici");
  const guarded = (local: boolean): buildConnector.connector =>
    buildConnector({
      timeout: CONNECT_TIMEOUT_MS,
      lookup: guardedLookup(lookup, reach, local),
    });
  const [dial, dialLocal] = [guarded(false), guarded(true)];
  const connect: buildConnector.connector = (options, callback) => {
    const host = options.host ?? options.hostname;
    let url: URL;
    try {
      url = new URL(`${options.protocol}//${host}`);
      checkTarget(url, reach);
    } catch (error) {
      callback(error instanceof Error ? error : new Error("No URL"), null);
      return;
    }
    const open = url.origin === reach.localOrigin ? dialLocal : dial;
    open(options, (...[error, socket]) => {
      if (error === null) callback(null, socket);
      else callback(unreachable(host, error), null);
    });
  };
  // How long an answer may take is up to whoever waits for it.
  const limits = { headersTimeout: 0, bodyTimeout: 0, maxHeaderSize: MAX_ANSWER_HEADER_BYTES };
  const direct = new Agent({ connect, ...limits });
  let proxied: Dispatcher | undefined;
  const dispatcher = (url: URL): Dispatcher => {
    const uri = proxyOf(url, env);
    if (uri === undefined) return direct;
    const timeout = { timeout: CONNECT_TIMEOUT_MS };
    return proxied ??= new ProxyAgent({ uri, proxyTls: timeout, requestTls: timeout, ...limits });
  };
  return {
    reach,
    request: async (url, { method, headers, body = null, signal }) => {
      checkTarget(url, reach);
      const through = dispatcher(url);
      try {
        return await through.request({
          origin: url.origin,
          path: url.pathname + url.search,
          method,
          headers,
          body,
          signal,
        });
      } catch (error) {
        if (through === direct || error instanceof GatewayError) throw error;
        throw proxyFailure(url.host, error);
      }
    },
    probe: async (url) => {
      checkTarget(url, reach);
      if (dispatcher(url) !== direct) return;
      const { host, hostname, protocol, port } = url;
      await new Promise<void>((resolve, reject) => {
        const to = { host, hostname: hostname.replace(/^\[|\]$/g, ""), protocol, port };
        connect(to, (...[error, socket]) => {
          if (error !== null) return reject(error);
          socket.destroy();
          resolve();
        });
      });
    },
    close: async () => void await Promise.all([direct.destroy(), proxied?.destroy()]),
  };
}

const systemLookup: Lookup = (hostname) => lookupOf(hostname, { all: true });

/** What strangers are told of that: not where it is. */
const UNREACHABLE = "Cannot reach the upstream of the server";

/** Why there is no way through the proxy; whatever else went wrong comes back as it is. */
function proxyFailure(host: string, error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const refusal = /^Proxy response \((\d{3})\)/.exec(error.message);
  const code = codeOf(error) ?? "";
  const why = refusal === null ? CAUSES[code] : `it answers with HTTP ${refusal[1]}`;
  if (why === undefined) return error;
  return new GatewayError(
    "server_failed",
    `Cannot reach upstream ${host} through the proxy of HTTPS_PROXY: ${why}`,
    { cause: error, brief: UNREACHABLE },
  );
}

/** That nothing was sent, because there is no connection. */
function unreachable(host: string, cause: Error): GatewayError {
  if (cause instanceof GatewayError) return cause;
  const inner: unknown = cause instanceof AggregateError ? cause.errors[0] : undefined;
  if (inner instanceof GatewayError) return inner;
  const why = CAUSES[codeOf(cause) ?? ""] ?? "the connection failed, check the URL and the network";
  return new GatewayError("server_failed", `Cannot reach upstream ${host}: ${why}`, {
    cause,
    brief: UNREACHABLE,
  });
}

/** The code of `error`, or of the first of those that it stands for: one for each address tried. */
function codeOf(error: Error): string | undefined {
  if ("code" in error && typeof error.code === "string") return error.code;
  const inner: unknown = error instanceof AggregateError ? error.errors[0] : undefined;
  return inner instanceof Error ? codeOf(inner) : undefined;
}
