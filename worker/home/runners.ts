/**
 * The connected runners of one tunnel. A platform hands over each open socket with `attach` and then
 * every message and the end of it.
 *
 * @module
 */
import type { Offer } from "../../src/mcp/offer.ts";
import { CLOSE } from "../../src/tunnel/close.ts";
import { encodeFrame, type HeaderOf, MAX_PAYLOAD_LENGTH } from "../../src/tunnel/frame.ts";
import { HEARTBEAT_MS } from "../../src/tunnel/heartbeat.ts";
import type { Wire, WireEvents } from "../../src/tunnel/wire.ts";
import type { HomeContext } from "./context.ts";
import { greet } from "./greeting.ts";
import { RunnerLink } from "./link.ts";
import { mayHave } from "./listing.ts";
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

/** The runners of one tunnel. */
export class Runners {
  readonly #context: HomeContext;
  readonly #records: RunnerRecords;
  readonly #links = new Map<string, RunnerLink>();
  /** Ids of tokens that were revoked while this home lives: their sockets may say hello later. */
  readonly #revoked = new Set<string>();

  constructor(context: HomeContext) {
    this.#context = context;
    this.#records = new RunnerRecords(context);
  }

  /** Takes a runner's open socket, whose first message must be its hello. */
  attach(wire: Wire, { token, greeted, restored }: AttachOptions): WireEvents {
    return greet(wire, {
      clock: this.#context.clock,
      link: restored && this.#adopt(restored, token, wire),
      adopt: (hello) => {
        const link = this.#adopt(hello, token, wire);
        if (link === undefined) return undefined;
        this.#welcome(link, wire);
        greeted?.(hello);
        return link;
      },
    });
  }

  /** What all known runners offer: the connected ones first, then those that are away. */
  async offers(): Promise<readonly Offer[]> {
    const records = [...await this.#records.all()];
    const connected = records.filter(([id]) => this.#links.has(id));
    const away = records.filter(([id]) => !this.#links.has(id));
    return [...connected, ...away].map(([, { offer }]) => offer);
  }

  /**
   * The least busy connected runner that has the tool `name`.
   *
   * @throws {GatewayError} `runner_offline`, with what its owner can do.
   */
  async pick(name: string): Promise<RunnerLink> {
    const records = await this.#records.all();
    let best: RunnerLink | undefined;
    for (const link of this.#living()) {
      const offer = records.get(link.runner.id)?.offer;
      if (link.draining || offer === undefined || !mayHave(offer, name)) continue;
      if (best === undefined || link.inFlight < best.inFlight) best = link;
    }
    if (best === undefined) throw await this.#records.offline(name);
    return best;
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
      offered: (offer, text) => void this.#records.remember(id, machine, { offer, text }),
    });
    const { id, machine } = link.runner;
    const old = this.#links.get(id);
    this.#links.set(id, link);
    old?.close(CLOSE.superseded, "This runner has connected again");
    return link;
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
