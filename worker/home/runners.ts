/**
 * The connected runners of one tunnel. A platform hands over each open socket with `attach` and then
 * every message and the end of it.
 *
 * @module
 */
import { GatewayError } from "../../src/errors.ts";
import type { Offer } from "../../src/mcp/offer.ts";
import { CLOSE } from "../../src/tunnel/close.ts";
import {
  decodeFrame,
  encodeFrame,
  type HeaderOf,
  MAX_PAYLOAD_LENGTH,
} from "../../src/tunnel/frame.ts";
import { HEARTBEAT_MS, PING, PONG } from "../../src/tunnel/heartbeat.ts";
import type { Wire, WireEvents } from "../../src/tunnel/wire.ts";
import type { HomeContext } from "./context.ts";
import { RunnerLink } from "./link.ts";
import { mayHave } from "./listing.ts";
import { RunnerRecords } from "./records.ts";

/** Milliseconds that an open socket has for its hello. */
const HELLO_DEADLINE_MS = 10_000;

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

  constructor(context: HomeContext) {
    this.#context = context;
    this.#records = new RunnerRecords(context);
  }

  /** Takes a runner's open socket, whose first message must be its hello. */
  attach(wire: Wire, { token, greeted, restored }: AttachOptions): WireEvents {
    let link = restored && this.#adopt(restored, token, wire);
    const cancelHello = restored === undefined
      ? this.#context.clock.after(
        HELLO_DEADLINE_MS,
        () => wire.close(CLOSE.protocol, "No hello in time"),
      )
      : () => {};
    return {
      message: (text) => {
        if (text === PING) {
          link?.heard();
          wire.send(PONG);
        } else if (link !== undefined) link.receive(text);
        else {
          const hello = readHello(text);
          if (hello === undefined) {
            wire.close(CLOSE.protocol, "Expected hello as the first frame");
            return;
          }
          cancelHello();
          link = this.#adopt(hello, token, wire);
          this.#welcome(link, wire);
          greeted?.(hello);
        }
      },
      closed: () => {
        cancelHello();
        if (link !== undefined) this.#drop(link);
      },
    };
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
    for (const [id, link] of this.#links) {
      if (link.silent) {
        this.#giveUp(link);
        continue;
      }
      const offer = records.get(id)?.offer;
      if (link.draining || offer === undefined || !mayHave(offer, name)) continue;
      if (best === undefined || link.inFlight < best.inFlight) best = link;
    }
    if (best === undefined) throw await this.#records.offline(name);
    return best;
  }

  /** Any connected runner. */
  any(): RunnerLink | undefined {
    return this.#links.values().next().value;
  }

  /** Closes the connections that the token `token` opened, because it was revoked. */
  revoke(token: string): void {
    for (const link of this.#links.values()) {
      if (link.token === token) link.close(CLOSE.revoked, "The tunnel token was revoked");
    }
  }

  /** Closes every connection because this process is about to stop. */
  drain(): void {
    for (const link of this.#links.values()) link.close(CLOSE.draining, "The worker is stopping");
  }

  #adopt(hello: HeaderOf<"hello">, token: string, wire: Wire): RunnerLink {
    const { id, machine } = hello.runner;
    const old = this.#links.get(id);
    const link = new RunnerLink({ hello, token, wire, clock: this.#context.clock }, {
      silent: () => this.#giveUp(link),
      offered: (offer, text) => void this.#records.remember(id, machine, { offer, text }),
    });
    this.#links.set(id, link);
    if (old !== undefined) {
      old.lost();
      old.close(CLOSE.superseded, "This runner has connected again");
    }
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

  /** Drops a runner that gives no sign of life, without waiting for its socket to find out. */
  #giveUp(link: RunnerLink): void {
    link.close(CLOSE.silent, "The runner was silent for too long");
    this.#drop(link);
  }

  #drop(link: RunnerLink): void {
    link.lost();
    const { id, machine } = link.runner;
    // The socket of an older connection may report its end late: the newer one stays.
    if (this.#links.get(id) !== link) return;
    this.#links.delete(id);
    void this.#records.remember(id, machine);
    this.#context.log("warn", "Runner disconnected", { tunnel: this.#context.tunnel, machine });
  }
}

function readHello(text: string): HeaderOf<"hello"> | undefined {
  try {
    const header = decodeFrame(text)?.header;
    return header?.type === "hello" ? header : undefined;
  } catch (error) {
    if (error instanceof GatewayError) return undefined;
    throw error;
  }
}
