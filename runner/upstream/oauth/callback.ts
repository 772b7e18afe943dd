/**
 * Where the browser comes back to after a login: a server on loopback that lives as long as the login
 * (RFC 8252 §7.3).
 *
 * @module
 */
import { createServer, type Server, type ServerResponse } from "node:http";
import { GatewayError } from "../../../src/errors.ts";

const PATH = "/callback";

/** A server that waits for the browser. */
export interface CallbackServer {
  readonly redirectUri: string;
  /** The parameters of the first answer with the right state; never rejects. */
  readonly answer: Promise<URLSearchParams>;
  close(): void;
}

/**
 * Listens on 127.0.0.1.
 *
 * @param state What the answer must repeat: others are turned away, so that a page that guesses the port
 * can end no login.
 * @param port The one that it must be; 0 for any, `better` if that is free.
 * @throws {GatewayError} `usage` when the port cannot be had.
 */
export async function listenForCallback(
  state: string,
  { port, better = 0 }: { readonly port: number; readonly better?: number },
): Promise<CallbackServer> {
  let took: (params: URLSearchParams) => void = () => {};
  const answer = new Promise<URLSearchParams>((resolve) => took = resolve);
  const server = createServer((request, response) => {
    const { origin: own } = new URL(redirectUri);
    const text = `${own}${request.url ?? ""}`;
    const url = URL.canParse(text) ? new URL(text) : undefined;
    // A name that resolves to this machine is not what the browser was sent to.
    if (request.headers.host !== new URL(own).host || url?.pathname !== PATH) {
      return page(response, 404, "There is nothing here.");
    }
    if (request.method !== "GET") return page(response, 405, "There is nothing here.");
    if (url.searchParams.get("state") !== state) {
      return page(response, 400, "This is not the answer to the login that mcp-runner waits for.");
    }
    page(response, 200, "mcp-runner has got the answer. You can close this page.");
    took(url.searchParams);
  });
  server.maxHeadersCount = 100;
  try {
    await listen(server, port === 0 ? better : port).catch((error: unknown) => {
      if (port !== 0 || better === 0) throw error;
      return listen(server, 0);
    });
  } catch (cause) {
    throw new GatewayError(
      "usage",
      `Cannot listen on port ${port} of this machine, name another with --port`,
      { cause },
    );
  }
  const address = server.address();
  const redirectUri = `http://127.0.0.1:${
    typeof address === "object" && address !== null ? address.port : port
  }${PATH}`;
  return {
    redirectUri,
    answer,
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

function listen(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", () => {
      server.off("error", reject);
      resolve();
    });
  });
}

/** The parameters of an address that a user has copied out of a browser; undefined if it is none of ours. */
export function readPasted(text: string, redirectUri: string): URLSearchParams | undefined {
  const trimmed = text.trim();
  if (trimmed.length > 16_384 || !URL.canParse(trimmed)) return undefined;
  const url = new URL(trimmed);
  return `${url.origin}${url.pathname}` === redirectUri ? url.searchParams : undefined;
}

/** A page that shows one of our sentences, and loads nothing. */
function page(response: ServerResponse, status: number, sentence: string): void {
  response.writeHead(status, {
    "content-type": "text/html; charset=utf-8",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    connection: "close",
  });
  response.end(
    `<!doctype html><html lang="en"><meta charset="utf-8"><title>mcp-runner</title><p>${sentence}</p></html>\n`,
  );
}
