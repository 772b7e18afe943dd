import { NO_SECRETS } from "../../secrets/redactor.ts";
import { CLIENT_INFO } from "../../server/client-info.ts";
import type { AccessTokens } from "../access-tokens.ts";
import { HttpClient } from "../http-client.ts";
import { openFetch } from "./fetch.ts";
import type { LoginOptions } from "./login.ts";
import { LoginTokens } from "./login-tokens.ts";

/** Milliseconds for the answer. */
const DEADLINE_MS = 10_000;

/**
 * Asks the server for something harmless with the token of a login that was just made.
 *
 * @throws {GatewayError} `login_required` when it does not take the token.
 */
export async function checkLogin(options: LoginOptions): Promise<void> {
  const { store, clock, dialer, server, url, clientSecret } = options;
  const fetch = openFetch(dialer, clock);
  // Nothing of this is logged.
  const redactor = NO_SECRETS;
  await ask(
    options,
    new LoginTokens({ server, url, store, clientSecret, fetch, clock, redactor }),
  );
}

/** Sends a harmless request, without a token unless given; what the upstream says of the token that it wants. */
export async function ask(
  { url, headers, dialer, clock }: LoginOptions,
  tokens?: AccessTokens,
): Promise<string | undefined> {
  const late = new AbortController();
  const cancel = clock.after(DEADLINE_MS, () => late.abort());
  try {
    const http = new HttpClient({ url, headers, dialer, tokens });
    const answer = await http.send({
      method: "POST",
      headers: {
        "content-type": "application/json",
        accept: "application/json, text/event-stream",
        "mcp-method": "server/discover",
        "mcp-protocol-version": "2026-07-28",
      },
      body: `{"jsonrpc":"2.0","id":1,"method":"server/discover","params":{"_meta":{` +
        `"io.modelcontextprotocol/protocolVersion":"2026-07-28",` +
        `"io.modelcontextprotocol/clientInfo":${CLIENT_INFO},` +
        `"io.modelcontextprotocol/clientCapabilities":{}}}}`,
      signal: late.signal,
    });
    answer.close();
    return answer.status === 401 ? answer.header("www-authenticate") : undefined;
  } finally {
    cancel();
  }
}
