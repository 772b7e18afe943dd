import type { Agent, buildConnector } from "undici";
import { GatewayError } from "../../src/errors.ts";

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

/** Connections to one upstream. */
export interface Dialer {
  readonly agent: Agent;
  /**
   * Opens a connection and closes it again.
   *
   * @throws {GatewayError} `server_failed` naming the host and what to check.
   */
  probe(url: URL): Promise<void>;
}

/**
 * Makes connections. Every one is opened by the one connector in here: what may be dialled is
 * decided there, by the address that was looked up, and cannot be dodged by a redirect or a name
 * that changes its address.
 */
export async function openDialer(): Promise<Dialer> {
  // Loaded here: the command line must not wait for it in commands that dial nothing.
  const { Agent, buildConnector } = await import("undici");
  const dial = buildConnector({ timeout: CONNECT_TIMEOUT_MS });
  const connect: buildConnector.connector = (options, callback) =>
    dial(options, (...[error, socket]) => {
      if (error === null) callback(null, socket);
      else callback(unreachable(options.host ?? options.hostname, error), null);
    });
  return {
    agent: new Agent({
      connect,
      // How long an answer may take is up to whoever waits for it.
      headersTimeout: 0,
      bodyTimeout: 0,
      maxHeaderSize: MAX_ANSWER_HEADER_BYTES,
    }),
    probe: ({ host, hostname, protocol, port }) =>
      new Promise((resolve, reject) =>
        connect(
          { host, hostname: hostname.replace(/^\[|\]$/g, ""), protocol, port },
          (...[error, socket]) => {
            if (error !== null) return reject(error);
            socket.destroy();
            resolve();
          },
        )
      ),
  };
}

/** That nothing was sent, because there is no connection. */
function unreachable(host: string, cause: Error): GatewayError {
  const why = CAUSES[codeOf(cause) ?? ""] ?? "the connection failed, check the URL and the network";
  return new GatewayError("server_failed", `Cannot reach upstream ${host}: ${why}`, { cause });
}

/** The code of `error`, or of the first of those that it stands for: one for each address tried. */
function codeOf(error: Error): string | undefined {
  if ("code" in error && typeof error.code === "string") return error.code;
  const inner: unknown = error instanceof AggregateError ? error.errors[0] : undefined;
  return inner instanceof Error ? codeOf(inner) : undefined;
}
