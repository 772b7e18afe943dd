/**
 * The processes of a legacy server that may ask their client something. Each belongs to one client
 * with what it can do, keeps its state for it, and has one exchange at a time, because what it asks
 * names none. While that waits for a person, another process takes the client's other exchanges.
 *
 *     exchange ──▶ queue of its client ──▶ a process that is free ──▶ back to it when it is done
 *
 * @module
 */
import { GatewayError, toGatewayError } from "../../src/errors.ts";
import type { Clock } from "../../src/clock.ts";
import { mirrored } from "./client-capabilities.ts";
import type { LegacyInstance } from "./legacy-instance.ts";
import type { Ongoing } from "./ongoing.ts";

/** Processes of one server at a time, of all purposes. */
export const MAX_INSTANCES = 8;

/** Processes of them that one client may have: whoever abandons calls harms nobody else. */
export const MAX_OF_CLIENT = 4;

/** Milliseconds without an exchange after which a process that may ask is stopped. */
export const INTERACTIVE_IDLE_MS = 5 * 60_000;

/** What the pool needs of its server. */
export interface InteractivePoolContext {
  /** Name of the server. */
  readonly name: string;
  readonly clock: Clock;
  /** Processes that are there beside those of the pool. */
  readonly others: () => number;
  /** Ends another process that nobody needs, if there is one. */
  readonly giveUpOther: () => boolean;
  /** A process that runs already and was told these capabilities, for the taking. */
  readonly adopt: (capabilities: string) => LegacyInstance | undefined;
  /** Starts one that is told these capabilities, JSON text. */
  readonly start: (capabilities: string) => Promise<LegacyInstance>;
  /** Hands an exchange to a process. */
  readonly assign: (instance: LegacyInstance, ongoing: Ongoing) => void;
}

/** The processes of one server that may ask, and who waits for them. */
export class InteractivePool {
  readonly #context: InteractivePoolContext;
  readonly #instances = new Map<LegacyInstance, () => void>();
  readonly #queues = new Map<string, Ongoing[]>();
  readonly #starting = new Set<string>();

  constructor(context: InteractivePoolContext) {
    this.#context = context;
  }

  /** Processes that run. */
  get instances(): readonly LegacyInstance[] {
    return [...this.#instances.keys()];
  }

  /** Carries out an exchange as soon as a process of its client is free. */
  exchange(ongoing: Ongoing): void {
    const { client, capabilities } = ongoing.exchange.caller;
    const key = keyFor(client, mirrored(capabilities));
    const queue = this.#queues.get(key);
    if (queue === undefined) this.#queues.set(key, [ongoing]);
    else queue.push(ongoing);
    this.#dispatch(key);
  }

  /** A process of the pool has become free, or its exchange waits for a person. */
  eased(instance: LegacyInstance): void {
    if (!this.#instances.has(instance) || instance.key === undefined) return;
    if (!instance.busy) this.#idle(instance);
    this.#dispatch(instance.key);
  }

  /** Gives every waiting exchange of a client to its processes, in order, as far as they are free. */
  #dispatch(key: string): void {
    for (;;) {
      const queue = this.#queues.get(key) ?? [];
      const ongoing = queue[0];
      if (ongoing === undefined) {
        this.#queues.delete(key);
        return;
      }
      if (ongoing.over) {
        queue.shift();
        continue;
      }
      const own = this.instances.filter((instance) => instance.key === key);
      const free = own.find(({ busy }) => !busy) ?? this.#adopt(key, ongoing);
      if (free !== undefined) {
        queue.shift();
        this.#take(free, ongoing);
        continue;
      }
      if (this.#starting.has(key) || own.some(({ parked }) => !parked)) return;
      if (this.#makeRoom(key)) {
        void this.#start(key, ongoing);
        return;
      }
      queue.shift();
      ongoing.failed(this.#overloaded());
    }
  }

  #take(instance: LegacyInstance, ongoing: Ongoing): void {
    this.#instances.get(instance)?.();
    this.#instances.set(instance, () => {});
    this.#context.assign(instance, ongoing);
  }

  #adopt(key: string, ongoing: Ongoing): LegacyInstance | undefined {
    const adopted = this.#context.adopt(mirrored(ongoing.exchange.caller.capabilities));
    if (adopted !== undefined) this.#join(adopted, key);
    return adopted;
  }

  async #start(key: string, { exchange }: Ongoing): Promise<void> {
    this.#starting.add(key);
    try {
      const instance = await this.#context.start(mirrored(exchange.caller.capabilities));
      this.#join(instance, key);
      this.#idle(instance);
    } catch (thrown) {
      const error = toGatewayError(thrown);
      for (const ongoing of this.#queues.get(key)?.splice(0) ?? []) ongoing.failed(error);
    } finally {
      this.#starting.delete(key);
    }
    this.#dispatch(key);
  }

  #join(instance: LegacyInstance, key: string): void {
    instance.key = key;
    this.#instances.set(instance, () => {});
    void instance.instance.ended.then(() => {
      this.#forget(instance);
      this.#dispatch(key);
    });
  }

  #idle(instance: LegacyInstance): void {
    const { clock } = this.#context;
    instance.idleSince = clock.now();
    this.#instances.get(instance)?.();
    this.#instances.set(instance, clock.after(INTERACTIVE_IDLE_MS, () => this.#stop(instance)));
  }

  /**
   * Whether one more process may be started for the client of `key`. If need be the one that was idle
   * for longest is ended, or else one of that very client whose call has waited for a person for longest.
   */
  #makeRoom(key: string): boolean {
    const { others, giveUpOther } = this.#context;
    const client = clientOf(key);
    const own = this.instances.filter((it) => it.key !== undefined && clientOf(it.key) === client);
    const starting = [...this.#starting].filter((it) => clientOf(it) === client);
    if (own.length + starting.length >= MAX_OF_CLIENT) return this.#endOne(own);
    if (this.#instances.size + this.#starting.size + others() < MAX_INSTANCES) return true;
    return giveUpOther() || this.#endOne(this.instances.filter(({ busy }) => !busy)) ||
      this.#endOne(own);
  }

  /** Ends one of these that is idle, or else parked; false if all of them work. */
  #endOne(among: readonly LegacyInstance[]): boolean {
    const idle = among.filter(({ busy }) => !busy).toSorted((a, b) => a.idleSince - b.idleSince);
    // In the order in which they were started: the first has waited for longest.
    const ended = idle[0] ?? among.find(({ parked }) => parked);
    if (ended === undefined) return false;
    this.#stop(ended);
    return true;
  }

  #stop(instance: LegacyInstance): void {
    this.#forget(instance);
    instance.abandon("Other calls of the client need the process");
    instance.instance.retire();
  }

  #forget(instance: LegacyInstance): void {
    this.#instances.get(instance)?.();
    this.#instances.delete(instance);
  }

  #overloaded(): GatewayError {
    return new GatewayError(
      "overloaded",
      `Server "${this.#context.name}" has ${MAX_INSTANCES} processes, all of them busy: try again ` +
        "when a call has ended",
    );
  }
}

/** Whose processes with which capabilities; `clientOf` undoes it. */
function keyFor(client: string, capabilities: string): string {
  return `${JSON.stringify(client)}\n${capabilities}`;
}

function clientOf(key: string): string {
  return key.slice(0, key.indexOf("\n"));
}
