/**
 * Notices a dead tunnel. The runner sends PING when it has nothing else to say, the worker answers
 * PONG; whoever hears nothing for DEAD_MS closes. Both are constant texts, not frames, so that a
 * Durable Object answers without waking (Cloudflare `setWebSocketAutoResponse`).
 *
 * @module
 */
import type { Clock } from "../clock.ts";

/** The runner's sign of life. */
export const PING = "p";

/** The worker's answer to PING. */
export const PONG = "P";

/** Milliseconds between two PINGs; at least two are missed before DEAD_MS. */
export const HEARTBEAT_MS = 12_000;

/** Milliseconds of silence after which the other end counts as gone. */
export const DEAD_MS = 30_000;

/** What a heartbeat does to its tunnel. */
export interface HeartbeatEvents {
  /** Called every `everyMs`. */
  readonly beat: () => void;
  /** Called once, when the peer was silent for `deadMs`. */
  readonly dead: () => void;
}

/** Times the beats of one tunnel and watches for the peer's. */
export class Heartbeat {
  readonly #clock: Clock;
  readonly #everyMs: number;
  readonly #deadMs: number;
  readonly #events: HeartbeatEvents;
  #heardAt: number;
  #cancel: () => void;

  constructor(
    clock: Clock,
    { everyMs, deadMs }: { readonly everyMs: number; readonly deadMs: number },
    events: HeartbeatEvents,
  ) {
    this.#clock = clock;
    this.#everyMs = everyMs;
    this.#deadMs = deadMs;
    this.#events = events;
    this.#heardAt = clock.now();
    this.#cancel = clock.after(everyMs, () => this.#tick());
  }

  /** Call for every message of the peer, of whatever kind. */
  heard(): void {
    this.#heardAt = this.#clock.now();
  }

  stop(): void {
    this.#cancel();
  }

  #tick(): void {
    if (this.#clock.now() - this.#heardAt >= this.#deadMs) {
      this.#events.dead();
      return;
    }
    this.#events.beat();
    this.#cancel = this.#clock.after(this.#everyMs, () => this.#tick());
  }
}
