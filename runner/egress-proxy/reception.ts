/**
 * Takes each connection of the server, finds out which host it means, and joins it to that host.
 *
 *     port of a target → opening → TLS   the name in it
 *                                → HTTP  http-relay.ts
 *                                → other, or silence: the only target with this port
 *     proxy port       → HTTP → CONNECT host:port → opening → the same, with the host known
 *
 * @module
 */
import type { Socket } from "node:net";
import { type Allowlist, hostOf } from "./allowlist.ts";
import type { Decide } from "./decision.ts";
import type { Dialler } from "./dial.ts";
import { createGate } from "./gate.ts";
import { createHttpRelay } from "./http-relay.ts";
import { type Opening, readOpening } from "./opening.ts";
import { IDLE_MS, MAX_CONNECTIONS } from "./settings.ts";
import { splice } from "./splice.ts";

/** After which silence of a client the host is asked whether it speaks first, in milliseconds. */
const SILENCE_MS = 300;

/** Ports whose protocols begin with the client, so that its silence says nothing. */
const CLIENT_FIRST = [80, 443, 8080, 8443];

/** A connection whose place is known as far as its port tells it. */
interface Arrival {
  readonly port: number;
  /** Host that it is bound for; absent if the opening has to tell. */
  readonly host: string | undefined;
  /** Whether the client named the host itself, by CONNECT. */
  readonly named: boolean;
}

/** Takes connections. */
export interface Reception {
  /** One to the port of a target. */
  direct(client: Socket, port: number): void;
  /** One to the proxy port. */
  proxied(client: Socket): void;
}

/** A reception with these rules. */
export function createReception(
  allowlist: Allowlist,
  dialler: Dialler,
  decide: Decide,
): Reception {
  const gate = createGate(allowlist, dialler, decide);
  const http = createHttpRelay(gate, (client, host, port) => {
    void admit(client, { host, port, named: true });
  });
  let open = 0;

  function count(client: Socket): boolean {
    client.on("error", () => {});
    if (open >= MAX_CONNECTIONS) {
      gate.block(undefined, client.localPort, "is one connection too many");
      client.resetAndDestroy();
      return false;
    }
    open += 1;
    client.once("close", () => {
      open -= 1;
    });
    return true;
  }

  async function admit(client: Socket, arrival: Arrival): Promise<void> {
    try {
      await join(client, arrival);
    } catch {
      // The gate has told of it; whoever is refused sees a reset.
      client.resetAndDestroy();
    }
  }

  async function join(client: Socket, arrival: Arrival): Promise<void> {
    const { host, port } = arrival;
    const waits = host !== undefined && !CLIENT_FIRST.includes(port);
    const first = await readOpening(client, waits ? SILENCE_MS : undefined);
    if (first.kind !== "silent" || host === undefined) return await follow(client, arrival, first);

    // The host may speak first. What the client says then is judged all the same.
    const upstream = await gate.reach(host, port);
    client.once("close", () => upstream.destroy());
    upstream.setTimeout(IDLE_MS, () => upstream.destroy());
    upstream.once("close", () => {
      if (!upstream.readableEnded) client.destroy();
    });
    upstream.pipe(client);
    const opening = await readOpening(client, undefined, IDLE_MS);
    const fits = opening.kind === "other" ||
      (opening.kind === "tls" && boundFor(opening.name, arrival) === host);
    if (!fits) return refuse(client, arrival, opening);
    client.setTimeout(IDLE_MS, () => client.destroy());
    client.pipe(upstream);
  }

  async function follow(client: Socket, arrival: Arrival, opening: Opening): Promise<void> {
    const { port } = arrival;
    if (opening.kind === "http") return http.serve(client, { port });
    const to = opening.kind === "tls"
      ? boundFor(opening.name, arrival)
      : opening.kind === "other"
      ? arrival.host
      : undefined;
    if (to === undefined) return refuse(client, arrival, opening);
    const upstream = await gate.reach(to, port);
    splice(client, upstream);
  }

  /** Where a connection with this name in its ClientHello goes, if anywhere. */
  function boundFor(name: string | undefined, { host, port, named }: Arrival): string | undefined {
    // A host that CONNECT has named may be one that takes TLS without a name, such as an address.
    if (name === undefined) return named ? host : undefined;
    const wanted = hostOf(name);
    if (wanted === undefined || (wanted !== host && !allowlist.allows(wanted, port))) {
      return undefined;
    }
    return named ? host : wanted;
  }

  function refuse(client: Socket, { host, port }: Arrival, opening: Opening): void {
    if (opening.kind === "tls") {
      const { name } = opening;
      gate.block(
        name ?? host,
        port,
        name === undefined ? "names no host in TLS" : "is not allowed",
      );
    } else if (opening.kind === "invalid") gate.block(host, port, opening.reason);
    else if (opening.kind !== "gone") gate.block(host, port, "does not tell which host it means");
    client.resetAndDestroy();
  }

  return {
    direct(client, port) {
      if (!count(client)) return;
      void admit(client, { port, host: allowlist.onlyHost(port), named: false });
    },
    proxied(client) {
      if (count(client)) http.serve(client, { port: undefined });
    },
  };
}
