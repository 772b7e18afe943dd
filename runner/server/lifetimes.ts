/**
 * Whose processes carry out an exchange:
 *
 *     shared   one set for everybody, which also gives the lists
 *     client   one set for each client     ┐ and one more for the lists and for those who listen,
 *     call     one set for each exchange   ┘ which belongs to nobody
 *
 * @module
 */
import type { Life } from "../config/life.ts";
import { GatewayError } from "../../src/errors.ts";
import type { Exchange } from "./exchange.ts";
import type { Warm } from "./warm.ts";
import type { Warms } from "./warms.ts";

/** Clients of one server that have processes at the same time. */
export const MAX_CLIENTS = 16;

/** Milliseconds for which processes that belong to nobody are kept. */
export const COMMON_IDLE_MS = 60_000;

/** The sets of processes of a server by whom they are for. */
export interface Lifetimes {
  /** The set that gives the lists and tells of updates. */
  readonly common: Warm;
  /**
   * The set for an exchange that is not bound to one by what happened before.
   *
   * @throws {GatewayError} `overloaded`.
   */
  of(exchange: Exchange): Warm;
  /** Ends all processes; the next exchange starts what it needs. */
  rest(): Promise<void>;
}

/** What they are made from. */
export interface LifetimesContext {
  /** Name of the server. */
  readonly name: string;
  readonly life: Life;
  readonly warms: Warms;
  /** Ends the processes of a set while nobody waits for that. */
  readonly rest: (warm: Warm) => void;
}

/** The sets of processes of a server with this life. */
export function lifetimesOf(context: LifetimesContext): Lifetimes {
  switch (context.life.lifetime) {
    case "shared":
      return shared(context);
    case "client":
      return new ClientLifetime(context);
    case "call":
      return perCall(context);
  }
}

function shared({ life: { idleMs }, warms, rest }: LifetimesContext): Lifetimes {
  const common = warms.makeListing({ idleMs, rest });
  return { common, of: () => common, rest: () => common.rest() };
}

function commonOf({ life: { idleMs = COMMON_IDLE_MS }, warms, rest }: LifetimesContext): Warm {
  return warms.makeListing({ idleMs: Math.min(idleMs, COMMON_IDLE_MS), rest });
}

function perCall(context: LifetimesContext): Lifetimes {
  const { warms } = context;
  const common = commonOf(context);
  return {
    common,
    of: () => warms.makePrivate({ idleMs: 0, rest: (warm) => void warms.end(warm, "done") }),
    rest: async () => {
      const own = warms.all.filter((warm) => warm !== common);
      await Promise.all([common.rest(), ...own.map((warm) => warms.end(warm, "idle"))]);
    },
  };
}

/** A set for each client, as long as the client makes calls. */
class ClientLifetime implements Lifetimes {
  readonly common: Warm;
  readonly #context: LifetimesContext;
  readonly #clients = new Map<string, Warm>();

  constructor(context: LifetimesContext) {
    this.#context = context;
    this.common = commonOf(context);
  }

  of({ caller: { client } }: Exchange): Warm {
    const known = this.#clients.get(client);
    if (known !== undefined) return known;
    if (this.#clients.size >= MAX_CLIENTS) this.#makeRoom();
    const { warms, life: { idleMs } } = this.#context;
    const warm = warms.makePrivate({ idleMs, rest: () => this.#end(client) });
    this.#clients.set(client, warm);
    return warm;
  }

  async rest(): Promise<void> {
    const own = [...this.#clients.values()];
    this.#clients.clear();
    const { warms } = this.#context;
    await Promise.all([this.common.rest(), ...own.map((warm) => warms.end(warm, "idle"))]);
  }

  #makeRoom(): void {
    const idle = [...this.#clients].filter(([, warm]) => !warm.idle.held)
      .toSorted(([, a], [, b]) => a.idle.since - b.idle.since);
    const [longest] = idle;
    if (longest === undefined) {
      throw new GatewayError(
        "overloaded",
        `Server "${this.#context.name}" works for ${MAX_CLIENTS} clients, which is as many as it ` +
          "takes: try again when one of them has no call under way",
      );
    }
    this.#end(longest[0]);
  }

  #end(client: string): void {
    const warm = this.#clients.get(client);
    this.#clients.delete(client);
    if (warm !== undefined) void this.#context.warms.end(warm, "idle");
  }
}
