/**
 * What a modern server tells by itself: one `subscriptions/listen` for a process, with the lists that it
 * has and the resources that anybody listens to. Another set of resources needs another request: the
 * new one takes over once the server has acknowledged it, then the old one is cancelled.
 *
 * @module
 */
import * as v from "valibot";
import { GatewayError } from "../../src/errors.ts";
import { RESERVED_PREFIX } from "../../src/mcp/meta.ts";
import type { EraContext } from "./era-server.ts";
import type { Withdraw } from "./exchange.ts";
import type { Instance } from "./instance.ts";
import { ownMeta } from "./params.ts";

const SUBSCRIPTION_ID_KEY = `${RESERVED_PREFIX}subscriptionId`;

/** Milliseconds until a server that has ended a subscription is asked for one again. */
const RENEW_PAUSE_MS = 1_000;

const named = v.object({ _meta: v.object({ [SUBSCRIPTION_ID_KEY]: v.number() }) });
const cancelled = v.object({ requestId: v.number() });

interface Subscription {
  readonly id: number;
  readonly cancel: Withdraw;
}

/** The subscription of one process. */
export class ModernSubscription {
  readonly #context: EraContext;
  readonly #instance: Instance;
  /** Acknowledged, and the one whose notifications count. */
  #current: Subscription | undefined;
  /** Asked for, and not acknowledged yet. */
  #next: Subscription | undefined;
  /** The filter that was last asked for. */
  #asked = "";
  #over = false;
  #cancelPause: () => void = () => {};

  constructor(context: EraContext, instance: Instance) {
    this.#context = context;
    this.#instance = instance;
    const { name, watch } = context;
    void instance.ended.then(() => {
      this.close();
      watch.end(new GatewayError("server_failed", `Server "${name}" has ended`));
    });
    this.renew();
  }

  /** Asks for what is wanted now, unless that was asked for last. */
  renew(): void {
    const filter = this.#filter();
    if (this.#over || filter === this.#asked) return;
    this.#next?.cancel("Replaced");
    this.#next = undefined;
    this.#asked = filter;
    if (filter === "{}") this.#replace(undefined);
    else this.#ask(filter);
  }

  /** Asks for nothing any more. */
  close(): void {
    this.#over = true;
    this.#cancelPause();
  }

  /** A notification of the server that is not about an exchange. */
  notified(method: string, params: string): void {
    if (params === "") return;
    if (method === "notifications/subscriptions/acknowledged") {
      if (this.#next !== undefined && idOf(params) === this.#next.id) this.#replace(this.#next);
      return;
    }
    if (method === "notifications/cancelled") {
      const parsed = v.safeParse(cancelled, JSON.parse(params));
      if (parsed.success) this.#ended(parsed.output.requestId);
      return;
    }
    if (method !== "notifications/resources/updated") return;
    if (idOf(params) === this.#current?.id) this.#context.watch.updated(params);
  }

  #filter(): string {
    const { tools, prompts, resources } = this.#instance.capabilities;
    const uris = resources ? this.#context.watch.uris : [];
    return JSON.stringify({
      ...(tools && { toolsListChanged: true }),
      ...(prompts && { promptsListChanged: true }),
      ...(resources && { resourcesListChanged: true }),
      ...(uris.length > 0 && { resourceSubscriptions: uris.toSorted() }),
    });
  }

  #ask(filter: string): void {
    let id = 0;
    const params = (given: number): string => {
      id = given;
      return `{"_meta":${ownMeta({})},"notifications":${filter}}`;
    };
    try {
      const cancel = this.#instance.peer.send("subscriptions/listen", params, {
        progress: () => {},
        result: () => this.#ended(id),
        error: () => this.#refused(id),
        lost: () => {},
      });
      this.#next = { id, cancel };
    } catch (error) {
      // The process is about to end, and then its listeners are told.
      if (!(error instanceof GatewayError)) throw error;
    }
  }

  #replace(by: Subscription | undefined): void {
    this.#current?.cancel("Replaced");
    this.#current = by;
    this.#next = undefined;
  }

  /** The server has ended a subscription of its own accord: nothing else is wrong with it. */
  #ended(id: number): void {
    if (!this.#forget(id) || this.#over) return;
    this.#cancelPause = this.#context.clock.after(RENEW_PAUSE_MS, () => {
      if (this.#current !== undefined || this.#next !== undefined) return;
      this.#asked = "";
      this.renew();
    });
  }

  /** Who listens hears nothing more: a server without subscriptions is still good for all the rest. */
  #refused(id: number): void {
    if (!this.#forget(id)) return;
    const { name, watch } = this.#context;
    watch.end(new GatewayError("server_failed", `Server "${name}" has refused to tell of updates`));
  }

  /** @returns Whether it was one that counts. */
  #forget(id: number): boolean {
    if (this.#next?.id === id) this.#next = undefined;
    else if (this.#current?.id === id) this.#current = undefined;
    else return false;
    return true;
  }
}

function idOf(params: string): number | undefined {
  const parsed = v.safeParse(named, JSON.parse(params));
  return parsed.success ? parsed.output._meta[SUBSCRIPTION_ID_KEY] : undefined;
}
