import type { ExchangeServer } from "./exchange.ts";
import type { ServerLists } from "./listed.ts";
import type { ManagedServer } from "./managed-server.ts";

/**
 * A server that takes over from another one: until it has said what it lists, or that it cannot, it lists
 * what that one did. So its tools do not vanish for the second that a restart takes, and a call to one of
 * them waits for it.
 */
export function succeeding(server: ManagedServer, before: ServerLists): ExchangeServer {
  return {
    name: server.name,
    get lists() {
      return server.lists ?? (server.failure === undefined ? before : undefined);
    },
    start: () => server.start(),
    exchange: (exchange, listener) => server.exchange(exchange, listener),
    listen: (uris, listener) => server.listen(uris, listener),
    stop: () => server.stop(),
  };
}
