/**
 * One configured MCP server: nothing runs until somebody needs it. The first process shows of which era
 * the server is, and from then on the server of that era carries out what is asked.
 *
 *     cold ── launch ──▶ server/discover ── DiscoverResult ──▶ ModernServer: this one process
 *                                        └─ anything else ──▶ LegacyServer: this process is the plain one
 *
 * @module
 */
import { setImmediate } from "node:timers/promises";
import { toGatewayError } from "../../src/errors.ts";
import { KNOWN_MODERN_TIMEOUT_MS, probe } from "./discover.ts";
import { briefMemory, type Era, type EraMemory } from "./era.ts";
import type { EraContext, EraServer } from "./era-server.ts";
import type {
  Exchange,
  ExchangeListener,
  ExchangeServer,
  ResourceListener,
  Withdraw,
} from "./exchange.ts";
import { initialize } from "./handshake.ts";
import { KnownLists } from "./known-lists.ts";
import type { Instance, Opened } from "./instance.ts";
import { EVERYTHING } from "./client-capabilities.ts";
import { Launcher, type LauncherContext } from "./launcher.ts";
import { LegacyServer } from "./legacy-server.ts";
import type { ServerLists } from "./listed.ts";
import type { ListKind } from "./lists.ts";
import { ModernServer } from "./modern-server.ts";
import { Ongoing } from "./ongoing.ts";
import { ownMeta } from "./params.ts";
import type { Peer } from "./peer.ts";
import { NOTHING_DECLARED } from "./server-capabilities.ts";
import { ResourceWatch } from "./resource-watch.ts";
import type { ListMemory } from "./managed-server.ts";

/** What a server needs of the runner. */
export interface ServerContext extends Omit<LauncherContext, "failed"> {
  /**
   * Called when its lists or its state have changed, with the kinds of which the server itself said
   * that they have: who listens hears of those even if they are the same.
   */
  readonly changed: (lists: readonly ListKind[]) => void;
  /** What is known of its era from earlier runs of the program; nothing unless given. */
  readonly eraMemory?: EraMemory;
  /** What it listed in earlier runs of the program; nothing unless given. */
  readonly listMemory?: ListMemory;
  /** Whether other processes of the server see to its lists; not unless given. */
  readonly listedElsewhere?: boolean;
  /** Milliseconds that it has to say that it is modern, in place of `PROBE_TIMEOUT_MS`. */
  readonly probeTimeoutMs?: number;
}

/** One MCP server of the config. */
export class Server implements ExchangeServer {
  readonly name: string;
  readonly #context: ServerContext;
  readonly #memory: EraMemory;
  readonly #launcher: Launcher;
  readonly #watch = new ResourceWatch();
  readonly #eraContext: EraContext;
  readonly #lists: KnownLists;
  #met: EraServer | undefined;
  #meeting: Promise<EraServer> | undefined;
  /** Whether the era that is remembered may be wrong. */
  #doubted = false;

  constructor(context: ServerContext) {
    this.name = context.name;
    this.#context = context;
    this.#lists = new KnownLists(context);
    this.#memory = context.eraMemory ?? briefMemory();
    this.#launcher = new Launcher({ ...context, failed: () => context.changed([]) });
    this.#eraContext = {
      name: context.name,
      clock: context.clock,
      log: context.log,
      launcher: this.#launcher,
      watch: this.#watch,
      listedElsewhere: context.listedElsewhere ?? false,
      listed: (lists, told, extent) => this.#lists.update(lists, told, extent),
      doubted: () => this.#doubted = true,
      refused: (ongoing, instance, error) => void this.#again(ongoing, instance, error),
    };
  }

  get lists(): ServerLists | undefined {
    return this.#lists.lists;
  }

  /** Id of the container that has run for the longest time; undefined while it is cold. */
  get containerId(): string | undefined {
    return this.#launcher.containers[0];
  }

  /** Ids of the containers that run now, the oldest first. */
  get containers(): readonly string[] {
    return this.#launcher.containers;
  }

  /** Whether a process is ready to take what it is asked. */
  get ready(): boolean {
    return this.#launcher.ready;
  }

  /** Whether a start is under way. */
  get starting(): boolean {
    return this.#launcher.starting;
  }

  /** Whether its processes are being ended. */
  get resting(): boolean {
    return this.#launcher.resting;
  }

  /** Whether no process is there or on its way. */
  get cold(): boolean {
    return this.#launcher.cold;
  }

  /** The era that it is of; undefined until that was found out. */
  get era(): Era | undefined {
    return this.#remembered();
  }

  /** Processes that run now. */
  get processes(): number {
    return this.#launcher.processes;
  }

  async start(): Promise<void> {
    if (this.lists === undefined) await this.list();
  }

  /** Starts it if its lists are not known from this run. Throws as `start` does. */
  async list(): Promise<void> {
    if (this.#lists.fresh) return;
    const server = this.#known() ?? await this.#meet();
    await server.start();
  }

  exchange(exchange: Exchange, listener: ExchangeListener): Withdraw {
    const ongoing = new Ongoing(exchange, listener);
    this.#carry(ongoing);
    return (reason) => ongoing.withdraw(reason);
  }

  listen(uris: readonly string[], listener: ResourceListener): () => void {
    const fresh = this.#watch.add(uris, listener);
    if (fresh.length > 0) void this.#listen(fresh);
    return () => {
      const left = this.#watch.remove(uris, listener);
      if (left.length > 0) this.#met?.unlisten(left);
    };
  }

  /** Ends its processes and goes cold; the next exchange starts what it needs. */
  rest(): Promise<void> {
    return this.#launcher.rest();
  }

  async stop(): Promise<void> {
    await this.#launcher.stop();
    this.#met?.close();
  }

  #carry(ongoing: Ongoing): void {
    if (ongoing.over) return;
    const server = this.#known();
    if (server !== undefined) server.exchange(ongoing);
    else void this.#carryLater(ongoing);
  }

  async #carryLater(ongoing: Ongoing): Promise<void> {
    try {
      const server = await this.#meet();
      if (!ongoing.over) server.exchange(ongoing);
    } catch (thrown) {
      ongoing.failed(toGatewayError(thrown));
    }
  }

  async #listen(uris: readonly string[]): Promise<void> {
    try {
      (this.#known() ?? await this.#meet()).listen(uris);
    } catch (thrown) {
      this.#watch.end(toGatewayError(thrown), uris);
    }
  }

  /** Nothing was written: a process that takes no input is about to end, if it is not only busy. */
  async #again(ongoing: Ongoing, instance: Instance, thrown: unknown): Promise<void> {
    const error = toGatewayError(thrown);
    const ending = error.code === "server_failed" || error.code === "server_crashed";
    if (!ending || ongoing.tries > 1) {
      ongoing.failed(error);
      return;
    }
    await instance.ended;
    this.#carry(ongoing);
  }

  /** The server of its era; undefined while that is found out, and when it is to be found out again. */
  #known(): EraServer | undefined {
    if (this.#meeting !== undefined) return undefined;
    const doubtful = this.#met instanceof LegacyServer && this.#remembered() === undefined;
    if (doubtful && this.#launcher.cold) {
      this.#met?.close();
      this.#met = undefined;
    }
    if (this.#remembered() === "legacy") this.#met ??= new LegacyServer(this.#eraContext);
    return this.#met;
  }

  #remembered(): Era | undefined {
    return this.#doubted ? undefined : this.#memory.get();
  }

  #meet(): Promise<EraServer> {
    this.#meeting ??= this.#begin().finally(() => this.#meeting = undefined);
    return this.#meeting;
  }

  async #begin(): Promise<EraServer> {
    const [instance, era] = await this.#launch();
    if (this.#remembered() !== era) this.#memory.set(era);
    this.#doubted = false;
    if (era === "legacy") {
      this.#met = new LegacyServer(this.#eraContext, instance);
      return this.#met;
    }
    const met = new ModernServer(this.#eraContext, instance);
    this.#met = met;
    void instance.ended.then(() => {
      if (this.#met === met) this.#met = undefined;
    });
    return met;
  }

  /** Starts a process and finds out of which era it is; it is ready then. */
  async #launch(): Promise<readonly [Instance, Era]> {
    let era: Era = "legacy";
    let late = false;
    const instance = await this.#launcher.start("calls", async ({ peer }, doing) => {
      const opened = await this.#open(peer, doing);
      era = opened.era;
      late = opened.late;
      return opened;
    });
    if (!late || this.#remembered() === "modern") return [instance, era];
    // It was slow to say that it is modern, and has been told to be legacy meanwhile.
    this.#memory.set("modern");
    this.#doubted = false;
    await instance.stop();
    return await this.#launch();
  }

  async #open(
    peer: Peer,
    doing: (method: string) => void,
  ): Promise<Opened & { readonly era: Era; readonly late: boolean }> {
    // Now that there is a process, its image is known, and with it perhaps its era.
    const remembered = this.#remembered();
    if (remembered === "legacy") {
      doing("initialize");
      return { era: "legacy", capabilities: await initialize(peer), late: false };
    }
    doing("server/discover");
    const { clock, probeTimeoutMs } = this.#context;
    const waitMs = remembered === "modern" ? KNOWN_MODERN_TIMEOUT_MS : probeTimeoutMs;
    const probing = probe(peer, clock, waitMs);
    const found = await probing.inTime;
    if (found.era === "modern") {
      const { capabilities } = found;
      return { era: "modern", capabilities, listMeta: ownMeta(EVERYTHING), late: false };
    }
    doing("initialize");
    const [initialized] = await Promise.allSettled([initialize(peer)]);
    // An answer to the probe that came first is still on its way through promises.
    const late = await Promise.race([probing.late.then(() => true), setImmediate(false)]);
    if (initialized.status === "rejected" && !late) throw initialized.reason;
    const capabilities = initialized.status === "fulfilled" ? initialized.value : NOTHING_DECLARED;
    return { era: "legacy", capabilities, late };
  }
}
