import { GatewayError } from "../../src/errors.ts";
import { MAX_SERVER_DEPTH, type Member, scan } from "../../src/mcp/scan.ts";
import type { Exchange, ExchangeListener, Withdraw } from "../server/exchange.ts";
import type { GatewayServer } from "./gateway-server.ts";

/**
 * Carries out an exchange at a server: whatever of its words goes to the caller, or into a task, goes
 * through `redact` first if it has one. The state of a question is the server's own and stays.
 */
export function exchangeWith(
  { server, redact }: GatewayServer,
  exchange: Exchange,
  listener: ExchangeListener,
): Withdraw {
  return server.exchange(exchange, redact ? redacting(server.name, redact, listener) : listener);
}

function redacting(
  server: string,
  redact: (text: string) => string,
  to: ExchangeListener,
): ExchangeListener {
  return {
    accepted: () => to.accepted(),
    note: (note) => to.note(redact(note)),
    result: (result, given) => {
      const clean = redact(result);
      if (clean === result) return to.result(result, given);
      const members = membersOf(clean);
      if (members === undefined) to.failed(unreadable(server));
      else to.result(clean, members);
    },
    inputRequired: (result, state) => to.inputRequired(redact(result), state),
    error: (error) => to.error(redact(error)),
    failed: (error) => to.failed(error),
  };
}

function membersOf(text: string): ReadonlyMap<string, Member> | undefined {
  try {
    return scan(text, { keep: 1, maxDepth: MAX_SERVER_DEPTH }).members;
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error;
    return undefined;
  }
}

function unreadable(server: string): GatewayError {
  return new GatewayError(
    "server_failed",
    `Cannot pass on the answer of server "${server}": it is no JSON without its secrets`,
    { executed: "yes" },
  );
}
