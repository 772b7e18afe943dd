/**
 * A server of MCP 2025-11-25 or older. Its processes learn at `initialize` what their client can do,
 * so that one does not do for all:
 *
 *     plain         told that its client can do nothing   any number of exchanges of clients like that
 *     interactive   told what one client can do           that client's exchanges, see interactive-pool
 *     listing       told that its client can do all       only lists, which some servers shorten by it
 *
 * @module
 */
import * as v from "valibot";
import { GatewayError, toGatewayError } from "../../src/errors.ts";
import { stringMember } from "../../src/mcp/scan.ts";
import {
  EVERYTHING,
  isInteractive,
  mirrored,
  missingCapability,
  undeclared,
} from "./client-capabilities.ts";
import type { EraContext, EraServer } from "./era-server.ts";
import type { Input } from "./exchange.ts";
import { initialize } from "./handshake.ts";
import type { Instance } from "./instance.ts";
import { InteractivePool } from "./interactive-pool.ts";
import { CALL_AGAIN, type LegacyCall } from "./legacy-call.ts";
import { LegacyInstance } from "./legacy-instance.ts";
import { LegacyLists } from "./legacy-lists.ts";
import { LegacySubscriptions } from "./legacy-subscriptions.ts";
import type { ListKind, Lists } from "./lists.ts";
import type { Ongoing } from "./ongoing.ts";
import { Parking } from "./parking.ts";

/** Milliseconds after which a process that only gives lists is stopped. */
export const LISTING_IDLE_MS = 60_000;

const NOTHING = "{}";
const ALL = mirrored(EVERYTHING);

/** A user's answer to a page that was to be visited. */
const accepted = v.looseObject({ action: v.literal("accept") });

/** A server of a legacy revision and its processes. */
export class LegacyServer implements EraServer {
  readonly #context: EraContext;
  readonly #parking: Parking<LegacyCall>;
  readonly #interactive: InteractivePool;
  #plain: LegacyInstance | undefined;
  #plainStart: Promise<LegacyInstance> | undefined;
  #listing: LegacyInstance | undefined;
  #listingStart: Promise<LegacyInstance> | undefined;
  #cancelListingIdle: () => void = () => {};
  #listingTried: boolean;
  readonly #lists = new LegacyLists();
  readonly #subscriptions: LegacySubscriptions;

  /** @param plain A process that has been initialized as the plain one. */
  constructor(context: EraContext, plain?: Instance) {
    const { name, clock, watch } = context;
    this.#context = context;
    this.#listingTried = context.listedElsewhere;
    this.#subscriptions = new LegacySubscriptions(name, watch, {
      tells: () => this.#lists.capabilities?.subscribe,
      plain: () => this.#startPlain(),
    });
    this.#parking = new Parking(name, clock);
    this.#interactive = new InteractivePool({
      name,
      clock,
      others: () =>
        Number(this.#plainStart !== undefined) +
        Number((this.#listing ?? this.#listingStart) !== undefined),
      giveUpOther: () => this.#stopListing(),
      adopt: (capabilities) => this.#adopt(capabilities),
      start: (capabilities) => this.#startInteractive(capabilities),
      assign: (instance, ongoing) => this.#assign(instance, ongoing),
    });
    if (plain === undefined) return;
    const instance = this.#join(plain, NOTHING);
    this.#plainStart = Promise.resolve(instance);
    this.#becomePlain(instance);
  }

  async start(): Promise<void> {
    const plain = this.#startPlain();
    const [listed, plainly] = await Promise.allSettled([this.#startListing(), plain]);
    if (listed.status === "rejected" && plainly.status === "rejected") throw plainly.reason;
    if (listed.status === "rejected") this.#tellLists([]);
  }

  exchange(ongoing: Ongoing): void {
    const { input, caller, method } = ongoing.exchange;
    if (method.startsWith("tasks/")) {
      ongoing.failed(new GatewayError("unknown_method", "Method not found"));
      return;
    }
    if (input !== undefined && !this.#callsAgain(ongoing, input)) return;
    // A completion asks nobody for anything, and must not wait until a person has answered.
    if (isInteractive(caller.capabilities) && method !== "completion/complete") {
      this.#interactive.exchange(ongoing);
    } else if (this.#plain !== undefined) this.#assign(this.#plain, ongoing);
    else void this.#exchangePlainly(ongoing);
    if (!this.#listingTried) this.#tryListing();
  }

  listen(uris: readonly string[]): void {
    void this.#subscriptions.add(uris);
  }

  unlisten(uris: readonly string[]): void {
    this.#subscriptions.remove(uris);
  }

  close(): void {
    this.#parking.close();
  }

  /** Goes on with a call; true when there is none to go on with and it has to be sent again. */
  #callsAgain(ongoing: Ongoing, input: Input): boolean {
    // Answers to a question that was never asked here, as clients may send them with a first call.
    if (input.state === undefined) return true;
    if (input.state === CALL_AGAIN) {
      const answers = [...input.responses.values()].map((text): unknown => JSON.parse(text));
      if (input.errors.size === 0 && answers.every((each) => v.is(accepted, each))) return true;
      ongoing.failed(
        new GatewayError(
          "invalid_params",
          "The page that the server needs was not visited: the call was not sent again",
        ),
      );
      return false;
    }
    const call = this.#parking.find(input.state, ongoing.exchange.caller.client);
    if (call === undefined) ongoing.failed(this.#parking.expired());
    else call.resume(ongoing, input);
    return false;
  }

  async #exchangePlainly(ongoing: Ongoing): Promise<void> {
    try {
      this.#assign(await this.#startPlain(), ongoing);
    } catch (thrown) {
      ongoing.failed(toGatewayError(thrown));
    }
  }

  #assign(instance: LegacyInstance, ongoing: Ongoing): void {
    if (ongoing.over) return;
    const { params, caller, method } = ongoing.exchange;
    const name = method === "tools/call" && stringMember(params.text, params.outline, "name");
    if (typeof name === "string" && this.#lists.hidden(instance, name)) {
      const lacking = undeclared(caller.capabilities);
      if (Object.keys(lacking).length > 0) {
        ongoing.failed(missingCapability(this.#context.name, lacking, "no"));
        this.#interactive.eased(instance);
        return;
      }
    }
    try {
      ongoing.tries++;
      instance.carry(ongoing);
    } catch (error) {
      this.#context.refused(ongoing, instance.instance, error);
      this.#interactive.eased(instance);
    }
  }

  #startPlain(): Promise<LegacyInstance> {
    this.#plainStart ??= this.#start("calls", NOTHING).then(
      (instance) => this.#becomePlain(instance),
      (error: unknown) => {
        this.#plainStart = undefined;
        throw error;
      },
    );
    return this.#plainStart;
  }

  #becomePlain(instance: LegacyInstance): LegacyInstance {
    this.#plain = instance;
    this.#lists.meetPlain(instance.instance);
    void instance.instance.ended.then(() => {
      this.#plain = undefined;
      this.#plainStart = undefined;
    });
    this.#tellLists([]);
    return instance;
  }

  /** What the plain process lists is all that is known if this fails. */
  #tryListing(): void {
    this.#startListing().catch(() => this.#tellLists([]));
  }

  #startListing(): Promise<LegacyInstance> {
    this.#listingTried = true;
    this.#listingStart ??= this.#start("lists", ALL).then(
      (instance) => this.#becomeListing(instance),
    ).finally(() => this.#listingStart = undefined);
    return this.#listingStart;
  }

  #becomeListing(instance: LegacyInstance): LegacyInstance {
    this.#listing = instance;
    this.#lists.meetListing(instance.instance);
    this.#cancelListingIdle = this.#context.clock.after(LISTING_IDLE_MS, () => {
      this.#stopListing();
    });
    void instance.instance.ended.then(() => {
      if (this.#listing === instance) this.#forgetListing();
    });
    this.#tellLists([]);
    return instance;
  }

  /** @returns Whether there was one. */
  #stopListing(): boolean {
    const listing = this.#forgetListing();
    listing?.instance.retire();
    return listing !== undefined;
  }

  #forgetListing(): LegacyInstance | undefined {
    const listing = this.#listing;
    this.#cancelListingIdle();
    this.#listing = undefined;
    this.#lists.keepListing();
    return listing;
  }

  /** A client that can do all takes the listing process: nobody has used it before. */
  #adopt(capabilities: string): LegacyInstance | undefined {
    return capabilities === ALL ? this.#forgetListing() : undefined;
  }

  /** What only this process shows is seen as long as it lives. */
  async #startInteractive(capabilities: string): Promise<LegacyInstance> {
    const instance = await this.#start("interaction", capabilities);
    void instance.instance.ended.then(() => this.#tellLists([]));
    return instance;
  }

  async #start(
    purpose: "calls" | "lists" | "interaction",
    capabilities: string,
  ): Promise<LegacyInstance> {
    const { launcher, doubted } = this.#context;
    let joined: LegacyInstance | undefined;
    const instance = await launcher.start(purpose, async (opening, doing) => {
      // Servers may ask for roots as soon as they are initialized.
      joined = this.#join(opening, capabilities);
      doing("initialize");
      try {
        return { capabilities: await initialize(opening.peer, capabilities) };
      } catch (error) {
        doubted();
        throw error;
      }
    });
    return joined ?? this.#join(instance, capabilities);
  }

  #join(instance: Instance, capabilities: string): LegacyInstance {
    const { name, clock, watch } = this.#context;
    return new LegacyInstance(instance, {
      server: name,
      clock,
      hasRoots: capabilities.includes('"roots"'),
      parking: this.#parking,
      watch,
      eased: (eased) => this.#interactive.eased(eased),
      relisted: (from, before, told) => this.#relisted(from, before, told),
    });
  }

  #relisted(from: LegacyInstance, before: Lists, told: readonly ListKind[]): void {
    this.#lists.relisted(from.instance, before);
    this.#tellLists(told);
  }

  #tellLists(told: readonly ListKind[]): void {
    const others = this.#interactive.instances.map(({ instance }) => instance);
    const lists = this.#lists.all(others.filter(({ ready }) => ready));
    const soon = !this.#listingTried || this.#listingStart !== undefined;
    const whole = this.#listing !== undefined || !soon;
    if (lists !== undefined) this.#context.listed(lists, told, whole ? "whole" : "part");
  }
}
