/**
 * Hears of updates of some resources at whichever runners serve them, as long as somebody listens: one
 * long-lived call to each runner, or to each choice of its servers that the listener may reach, sent
 * again when it has ended.
 *
 *     for each URI: its runner ── subscriptions/listen ──▶ notifications/resources/updated*
 *     the call ends, a runner connects or offers something new ──▶ the URIs without a call look again
 *
 * @module
 */
import { type Backoff, nextWaitMs } from "../../src/backoff.ts";
import type { Clock } from "../../src/clock.ts";
import type { RequestMeta } from "../../src/mcp/meta.ts";
import type { Caller } from "../front/caller.ts";
import { type Dispatch, LISTEN_METHOD, type Withdraw } from "./dispatch.ts";
import { methodOf, RESOURCE_UPDATED } from "./notification.ts";
import type { Runners } from "./runners.ts";
import { type ResourceTarget, resourceTargets } from "./target.ts";

/** Milliseconds that one call lasts at most; then it is sent again. */
const LISTEN_MS = 86_400_000;

/** Between two tries at a runner that is there and has ended the call. */
const RETRY: Backoff = { firstMs: 1_000, maxMs: 30_000 };

/** What to watch. */
export interface WatchOptions {
  readonly runners: Runners;
  readonly dispatch: Dispatch;
  readonly clock: Clock;
  readonly uris: readonly string[];
  readonly caller: Caller;
  readonly meta: RequestMeta;
  /** Hears of each whole `notifications/resources/updated` notification. */
  readonly updated: (notification: string) => void;
}

/** Watches from its making until it is closed. */
export class ResourceWatch {
  readonly #options: WatchOptions;
  /** The call that each URI is part of now. */
  readonly #calls = new Map<string, ListenCall>();
  readonly #stopHearing: () => void;
  #stopTimer: () => void = () => {};
  #failures = 0;
  #looking = false;
  #lookAgain = false;
  #closed = false;

  constructor(options: WatchOptions) {
    this.#options = options;
    this.#stopHearing = options.runners.onAble(() => {
      this.#failures = 0;
      this.#look();
    });
    this.#look();
  }

  /** Ends every call. */
  close(reason: string): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#stopHearing();
    this.#stopTimer();
    const calls = new Set(this.#calls.values());
    this.#calls.clear();
    for (const call of calls) call.withdraw(reason);
  }

  /** Sends what has no call; looks that are asked for meanwhile become one more. */
  #look(): void {
    this.#lookAgain = true;
    if (!this.#looking) void this.#lookWhileAsked();
  }

  async #lookWhileAsked(): Promise<void> {
    this.#looking = true;
    while (this.#lookAgain && !this.#closed) {
      this.#lookAgain = false;
      try {
        await this.#sendMissing();
      } catch {
        // The store is out of order, or the runner has too much to do.
        this.#retryLater();
      }
    }
    this.#looking = false;
  }

  async #sendMissing(): Promise<void> {
    const { runners, caller, uris } = this.#options;
    const missing = uris.filter((uri) => !this.#calls.has(uri));
    const targets = await resourceTargets(runners, missing, caller.tools);
    if (this.#closed) return;
    for (const target of targets) this.#send(target);
  }

  #send({ link, servers, uris }: ResourceTarget): void {
    const { dispatch, meta, caller, updated } = this.#options;
    const call: ListenCall = { withdraw: () => {} };
    let over = false;
    const ended = (): void => {
      over = true;
      for (const uri of uris) if (this.#calls.get(uri) === call) this.#calls.delete(uri);
      if (!this.#closed) this.#retryLater();
    };
    const withdraw = dispatch.sendTo(link, {
      method: LISTEN_METHOD,
      params: JSON.stringify({ notifications: { resourceSubscriptions: uris } }),
      meta,
      caller,
      servers,
      deadlineMs: LISTEN_MS,
    }, {
      accepted: () => void (this.#failures = 0),
      note: (notification) => {
        if (!this.#closed && methodOf(notification) === RESOURCE_UPDATED) updated(notification);
      },
      result: ended,
      error: ended,
    });
    if (over) return;
    call.withdraw = withdraw;
    for (const uri of uris) this.#calls.set(uri, call);
  }

  #retryLater(): void {
    this.#stopTimer();
    const waitMs = nextWaitMs(RETRY, ++this.#failures);
    this.#stopTimer = this.#options.clock.after(waitMs, () => this.#look());
  }
}

interface ListenCall {
  withdraw: Withdraw;
}
