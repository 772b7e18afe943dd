import type { Clock } from "../../src/clock.ts";
import { IGNORED, type Listener, type Peer } from "./peer.ts";

/** Milliseconds that a silent process has to say anything at all. */
export const STALL_MS = 10_000;

/** What a check needs to know. */
export interface StallContext {
  readonly clock: Clock;
  readonly peer: Peer;
  /** A cheap request that every server of its era answers, with the JSON text of its params. */
  readonly question: () => readonly [method: string, params: string];
  /** Called when nothing came. */
  readonly stalled: () => void;
}

/**
 * Tells a process that hangs as a whole from one of which one tool hangs: asked for nothing but a sign
 * of life, it says nothing. Any line counts, also one of stderr.
 */
export class StallCheck {
  readonly #context: StallContext;
  #cancel: (() => void) | undefined;

  constructor(context: StallContext) {
    this.#context = context;
  }

  /** Asks now, unless an answer is awaited. */
  ask(): void {
    if (this.#cancel !== undefined) return;
    const { clock, peer, question, stalled } = this.#context;
    const heard = peer.heard;
    this.#cancel = clock.after(STALL_MS, () => {
      this.#cancel = undefined;
      if (peer.heard === heard) stalled();
    });
    const over = (): void => this.stop();
    const listener: Listener = { ...IGNORED, result: over, error: over, lost: over };
    peer.ask(...question(), listener);
  }

  /** Waits for nothing any more. */
  stop(): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }
}
