/**
 * Tells a caller who waits for a server to start how that goes on (MCP basic/utilities/progress), if it
 * gave a progress token. The values are tiny, and what the server itself says later is larger.
 *
 * @module
 */
import type { Clock } from "../../src/clock.ts";
import { printable } from "../../src/log.ts";
import { MAX_SERVER_DEPTH, rawMember, scan, spliceObject } from "../../src/mcp/scan.ts";
import { toProgressNote } from "./params.ts";

/** Milliseconds of a start about which nothing is said. */
export const QUIET_MS = 300;

/** Milliseconds between two notifications about a start. */
export const PROGRESS_PAUSE_MS = 500;

/** Most characters of a line that is passed on. */
const MAX_LINE_LENGTH = 200;

/** By how much the value grows with each notification. */
const STEP = 1e-6;

const PROGRESS = '{"jsonrpc":"2.0","method":"notifications/progress","params":';

/** What happens while a server starts: one line for each step that takes long. */
export class StartNews {
  readonly #listeners = new Set<(line: string) => void>();
  /** The latest line of the start under way; undefined before its first. */
  latest: string | undefined;

  /** A step has begun, in a hostile program's words perhaps. */
  tell(line: string): void {
    this.latest = printable(line).slice(0, MAX_LINE_LENGTH);
    for (const listener of this.#listeners) listener(this.latest);
  }

  /** Hears every line until the returned function is called. */
  follow(listener: (line: string) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }
}

/** Who waits. */
export interface StartWaiter {
  readonly clock: Clock;
  /** Name of the server. */
  readonly server: string;
  /** JSON text of the caller's progress token. */
  readonly token: string;
  /** Gets each notification. */
  readonly note: (notification: string) => void;
}

/** The progress notifications of one exchange. */
export class StartProgress {
  readonly #waiter: StartWaiter;
  #value = 0;
  /** The line that waits for its turn. */
  #next: string | undefined;
  #waits = false;
  #cancel: () => void = () => {};
  #unfollow: () => void = () => {};

  constructor(waiter: StartWaiter) {
    this.#waiter = waiter;
  }

  /** The wait has begun. */
  begin(news: StartNews): void {
    const { server } = this.#waiter;
    this.#next = news.latest ?? `Starting server "${server}"`;
    this.#pause(QUIET_MS);
    this.#unfollow = news.follow((line) => {
      this.#next = line;
      if (!this.#waits) this.#tell();
    });
  }

  /** The wait is over. */
  end(): void {
    this.#cancel();
    this.#unfollow();
  }

  /** A notification of the server, with a value above all that was said about the start. */
  after(notification: string): string {
    if (this.#value === 0 || !notification.startsWith(PROGRESS)) return notification;
    const params = notification.slice(PROGRESS.length, -1);
    const outline = scan(params, { keep: 1, maxDepth: MAX_SERVER_DEPTH });
    const said = Number(rawMember(params, outline, "progress"));
    if (!(said <= this.#value)) return notification;
    return `${PROGRESS}${spliceObject(params, outline, { progress: this.#grow() })}}`;
  }

  #tell(): void {
    if (this.#next === undefined) return;
    const { token, note } = this.#waiter;
    const message = JSON.stringify(this.#next);
    this.#next = undefined;
    this.#pause(PROGRESS_PAUSE_MS);
    note(toProgressNote(`{"progress":${this.#grow()},"message":${message}}`, token));
  }

  #pause(ms: number): void {
    this.#waits = true;
    this.#cancel = this.#waiter.clock.after(ms, () => {
      this.#waits = false;
      this.#tell();
    });
  }

  #grow(): string {
    this.#value += STEP;
    return this.#value.toFixed(6);
  }
}
