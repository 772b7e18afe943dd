import { Idle } from "./idle.ts";
import type { Launch } from "./managed-server.ts";
import { Server, type ServerContext } from "./server.ts";
import { StartNews } from "./start-progress.ts";
import type { Supervision } from "./supervision.ts";

/** Why processes are stopped, as the journal tells it. */
export type StopReason = "idle" | "drain" | "stop" | "done";

/** What a set of processes is made from. */
export interface WarmContext extends Omit<ServerContext, "launch" | "supervisor"> {
  readonly launch: Launch;
  readonly supervision: Supervision;
}

/** What is of one set alone. */
export interface WarmOptions {
  /** Milliseconds without use after which `rest` is called; 0: at once; undefined: never. */
  readonly idleMs: number | undefined;
  /** Nobody has used it for so long. */
  readonly rest: (warm: Warm) => void;
}

/** A server core with what needs it: processes that live and end together. */
export class Warm {
  readonly server: Server;
  /** What happens while it starts. */
  readonly news = new StartNews();
  readonly idle: Idle;
  #exchanges = 0;
  #over = false;
  #reason: StopReason = "idle";

  constructor({ supervision, launch, ...context }: WarmContext, { idleMs, rest }: WarmOptions) {
    this.idle = new Idle({ clock: context.clock, idleMs, rest: () => rest(this) });
    this.server = new Server({
      ...context,
      launch: () => {
        this.news.latest = undefined;
        return launch((line) => this.news.tell(line));
      },
      supervisor: supervision.over({
        urgent: () => this.#exchanges > 0,
        reason: () => this.#reason,
      }),
    });
  }

  /** Whether it was ended for good. */
  get over(): boolean {
    return this.#over;
  }

  /** An exchange needs it, until the returned function is called. */
  enter(): () => void {
    const release = this.idle.hold();
    this.#exchanges++;
    let inside = true;
    return () => {
      if (!inside) return;
      inside = false;
      this.#exchanges--;
      release();
    };
  }

  /** Makes the lists known. Throws as `Server.start` does. */
  async list(): Promise<void> {
    const release = this.idle.hold();
    try {
      await this.server.list();
    } finally {
      release();
    }
  }

  /** Ends its processes; the next exchange starts what it needs. */
  async rest(): Promise<void> {
    if (this.server.cold) return;
    this.#reason = "idle";
    await this.server.rest();
  }

  /** Ends its processes for good. */
  async stop(reason: StopReason): Promise<void> {
    this.#reason = reason;
    this.#over = true;
    this.idle.stop();
    await this.server.stop();
  }
}
