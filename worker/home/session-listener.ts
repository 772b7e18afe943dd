/**
 * What one session hears of on its standalone stream: that lists have changed, and updates of the
 * resources that it has subscribed to (MCP 2025-11-25 server/resources "Subscriptions").
 *
 * It listens while a client reads the stream, and a while longer: what happens in that time waits for
 * the client to come again. Then it stops, so that a home where nothing happens may sleep.
 *
 * @module
 */
import type { Clock } from "../../src/clock.ts";
import { GatewayError } from "../../src/errors.ts";
import type { RequestMeta } from "../../src/mcp/meta.ts";
import type { Caller } from "../front/caller.ts";
import type { Changes } from "./changes.ts";
import type { Dispatch } from "./dispatch.ts";
import { listChanged } from "./notification.ts";
import { ResourceWatch } from "./resource-watch.ts";
import type { Runners } from "./runners.ts";
import type { SessionStream } from "./session-stream.ts";

/** Milliseconds for which a session without a reader goes on listening. */
const LINGER_MS = 5 * 60_000;

/** Longest subscriptions of one session, in bytes of their JSON text: the store keeps them as one value. */
const MAX_SUBSCRIPTIONS_BYTES = 24 * 1024;

/** Most subscriptions of one session. */
const MAX_SUBSCRIPTIONS = 256;

/** Where it hears of things, and for whom. */
export interface Sources {
  readonly runners: Runners;
  readonly dispatch: Dispatch;
  readonly changes: Changes;
  readonly caller: Caller;
  readonly meta: RequestMeta;
}

/** The ear of one session. */
export class SessionListener {
  readonly #clock: Clock;
  readonly #stream: SessionStream;
  readonly #subscriptions: Set<string>;
  #watch: ResourceWatch | undefined;
  #stopHearing: (() => void) | undefined;
  #stopLingering: () => void = () => {};

  /** @param subscriptions URIs that the session had subscribed to before. */
  constructor(clock: Clock, stream: SessionStream, subscriptions: readonly string[] = []) {
    this.#clock = clock;
    this.#stream = stream;
    this.#subscriptions = new Set(subscriptions);
  }

  /** URIs of the resources of whose updates it tells. */
  get subscriptions(): ReadonlySet<string> {
    return this.#subscriptions;
  }

  /** Whether it hears nothing now. */
  get idle(): boolean {
    return this.#stopHearing === undefined;
  }

  /** Begins to listen; a client has come to read, or is expected to. */
  listen(sources: Sources): void {
    // The session may have ended while somebody was about to subscribe.
    if (this.#stream.endedAt !== undefined) return;
    this.#stopLingering();
    this.#stopHearing ??= sources.changes.subscribe((lists) => {
      for (const list of lists) this.#stream.noteOnce(listChanged(list));
    }, sources.caller.tools);
    if (this.#subscriptions.size > 0) this.#watch ??= this.#watchFor(sources);
    if (this.#stream.readers === 0) this.#linger();
  }

  /**
   * Subscribes to updates of a resource, of which it is known that the caller may read it.
   *
   * @returns Whether that changed anything.
   * @throws {GatewayError} `overloaded`.
   */
  subscribe(uri: string, sources: Sources): boolean {
    if (this.#subscriptions.has(uri)) return false;
    const bytes = new TextEncoder().encode(JSON.stringify([...this.#subscriptions, uri])).length;
    if (this.#subscriptions.size >= MAX_SUBSCRIPTIONS || bytes > MAX_SUBSCRIPTIONS_BYTES) {
      throw new GatewayError(
        "overloaded",
        `Cannot subscribe: the session has ${this.#subscriptions.size} subscriptions, end some first`,
      );
    }
    this.#subscriptions.add(uri);
    this.#watchAnew(sources);
    return true;
  }

  /** Ends a subscription; returns whether there was one. */
  unsubscribe(uri: string, sources: Sources): boolean {
    if (!this.#subscriptions.delete(uri)) return false;
    this.#watchAnew(sources);
    return true;
  }

  /** The last reader of the stream has left. */
  unread(): void {
    if (!this.idle) this.#linger();
  }

  /** Stops listening; the subscriptions stay. */
  close(): void {
    this.#stopLingering();
    this.#stopHearing?.();
    this.#stopHearing = undefined;
    this.#watch?.close("Nobody reads the stream");
    this.#watch = undefined;
  }

  #linger(): void {
    this.#stopLingering();
    this.#stopLingering = this.#clock.after(LINGER_MS, () => this.close());
  }

  #watchAnew(sources: Sources): void {
    this.#watch?.close("The subscriptions have changed");
    this.#watch = undefined;
    this.listen(sources);
  }

  #watchFor({ runners, dispatch, caller, meta }: Sources): ResourceWatch {
    return new ResourceWatch({
      runners,
      dispatch,
      clock: this.#clock,
      uris: [...this.#subscriptions],
      caller,
      meta,
      updated: (notification) => this.#stream.noteOnce(notification),
    });
  }
}
