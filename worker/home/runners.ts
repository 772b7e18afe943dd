/**
 * The connected runners of one tunnel. A platform hands over each open socket with `attach` and then
 * every message and the end of it.
 *
 * @module
 */
import { EMPTY_OFFER, type Offer } from "../../src/mcp/offer.ts";
import { CLOSE } from "../../src/tunnel/close.ts";
import { encodeFrame, type HeaderOf, MAX_PAYLOAD_LENGTH } from "../../src/tunnel/frame.ts";
import { HEARTBEAT_MS } from "../../src/tunnel/heartbeat.ts";
import type { Wire, WireEvents } from "../../src/tunnel/wire.ts";
import { type Changes, differences } from "./changes.ts";
import type { HomeContext } from "./context.ts";
import { greet } from "./greeting.ts";
import { RunnerLink } from "./link.ts";
import { RunnerRecords } from "./records.ts";

const REVOKED = "The tunnel token was revoked";

/** How to take over a socket. */
export interface AttachOptions {
  /** Id of the tunnel token that opened it. */
  readonly token: string;
  /** Called with the hello once the runner is welcome, for a platform that must restore it later. */
  readonly greeted?: (hello: HeaderOf<"hello">) => void;
  /** The hello of a connection that has outlived the home's memory. */
  readonly restored?: HeaderOf<"hello">;
}

/** A runner that has connected at least once. */
export interface KnownRunner {
  readonly id: string;
  readonly machine: string;
  readonly offer: Offer;
  /** Milliseconds since it connected, offered something or disconnected last. */
  readonly silentMs: number;
  /** Its connection if it takes calls now. */
  readonly link: RunnerLink | undefined;
}

/** The runners of one tunnel. */
export class Runners {
  readonly #context: HomeContext;
  readonly #changes: Changes;
  readonly #records: RunnerRecords;
  readonly #links = new Map<string, RunnerLink>();
  readonly #able = new Set<() => void>();
  /** Ids of tokens that were revoked while this home lives: their sockets may say hello later. */
  readonly #revoked = new Set<string>();

  constructor(context: HomeContext, changes: Changes) {
    this.#context = context;
    this.#changes = changes;
    this.#records = new RunnerRecords(context);
  }

  /** Takes a runner's open socket, whose first message must be its hello. */
  attach(wire: Wire, { token, greeted, restored }: AttachOptions): WireEvents {
    const link = restored && this.#adopt(restored, token, wire);
    if (link !== undefined) this.#tellAble();
    return greet(wire, {
      clock: this.#context.clock,
      link,
      adopt: (hello) => {
        const adopted = this.#adopt(hello, token, wire);
        if (adopted === undefined) return undefined;
        this.#welcome(adopted, wire);
        greeted?.(hello);
        this.#tellAble();
        return adopted;
      },
    });
  }

  /**
   * All runners that this tunnel has had, the connected ones first, each group in the order of their
   * ids, so that lists made of them keep their order.
   */
  async known(): Promise<readonly KnownRunner[]> {
    const now = this.#context.clock.now();
    const runners = [...await this.#records.all()].map(([id, { machine, offer, seenAt }]) => {
      const link = this.#links.get(id);
      const free = link !== undefined && !link.dropIfSilent() && !link.draining;
      return { id, machine, offer, silentMs: now - seenAt, link: free ? link : undefined };
    });
    runners.sort((a, b) => a.id < b.id ? -1 : 1);
    const connected = runners.filter(({ id }) => this.#links.has(id));
    return [...connected, ...runners.filter(({ id }) => !this.#links.has(id))];
  }

  /** What all known runners offer, in the order of `known`. */
  async offers(): Promise<readonly Offer[]> {
    return (await this.known()).map(({ offer }) => offer);
  }

  /**
   * Hears of every moment at which a runner may serve more than before: it has connected, or has made
   * an offer.
   *
   * @param listener Must not throw.
   * @returns Ends the subscription.
   */
  onAble(listener: () => void): () => void {
    this.#able.add(listener);
    return () => void this.#able.delete(listener);
  }

  /** Any connected runner. */
  any(): RunnerLink | undefined {
    return this.#living().next().value;
  }

  /** Closes the connections that the token `token` opened or will open, because it was revoked. */
  revoke(token: string): void {
    this.#revoked.add(token);
    for (const link of this.#links.values()) {
      if (link.token === token) link.close(CLOSE.revoked, REVOKED);
    }
  }

  /** Closes every connection because this process is about to stop. */
  drain(): void {
    for (const link of this.#links.values()) link.close(CLOSE.draining, "The worker is stopping");
  }

  /** Connected runners; one that gives no sign of life is dropped on the way. */
  *#living(): Generator<RunnerLink, undefined> {
    for (const link of this.#links.values()) {
      if (!link.dropIfSilent()) yield link;
    }
  }

  #adopt(hello: HeaderOf<"hello">, token: string, wire: Wire): RunnerLink | undefined {
    if (this.#revoked.has(token)) {
      wire.close(CLOSE.revoked, REVOKED);
      return undefined;
    }
    const link = new RunnerLink({ hello, token, wire, clock: this.#context.clock }, {
      ended: () => this.#drop(link),
      offered: (offer, text, changed = []) => {
        const before = this.#records.known(id)?.offer ?? EMPTY_OFFER;
        void this.#records.remember(id, machine, { offer, text });
        this.#changes.tell(differences(before, offer, changed));
        this.#tellAble();
      },
    });
    const { id, machine } = link.runner;
    const old = this.#links.get(id);
    this.#links.set(id, link);
    old?.close(CLOSE.superseded, "This runner has connected again");
    return link;
  }

  #tellAble(): void {
    for (const listener of this.#able) listener();
  }

  #welcome({ runner }: RunnerLink, wire: Wire): void {
    const { tunnel, log } = this.#context;
    wire.send(encodeFrame({
      type: "welcome",
      tunnel,
      link: crypto.randomUUID(),
      features: [],
      heartbeatMs: HEARTBEAT_MS,
      maxPayload: MAX_PAYLOAD_LENGTH,
    }));
    void this.#records.remember(runner.id, runner.machine);
    log("info", "Runner connected", { tunnel, machine: runner.machine, version: runner.version });
  }

  #drop(link: RunnerLink): void {
    const { id, machine } = link.runner;
    // The one that has superseded it stays.
    if (this.#links.get(id) !== link) return;
    this.#links.delete(id);
    void this.#records.remember(id, machine);
    this.#context.log("warn", "Runner disconnected", { tunnel: this.#context.tunnel, machine });
  }
}
