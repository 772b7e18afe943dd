/**
 * What a home remembers of its runners, connected or away: their machine, their offer, and when they
 * were last seen. Held in memory, kept in the store for the next start or wake.
 *
 * @module
 */
import { EMPTY_OFFER, type Offer } from "../../src/mcp/offer.ts";
import type { HomeContext } from "./context.ts";
import { type RunnerRecord, RunnerStore } from "./runner-store.ts";

/** The remembered runners of one tunnel, by runner id. */
export class RunnerRecords {
  readonly #context: HomeContext;
  readonly #store: RunnerStore;
  readonly #records = new Map<string, RunnerRecord>();
  #loading: Promise<void> | undefined;

  constructor(context: HomeContext) {
    this.#context = context;
    this.#store = new RunnerStore(context);
  }

  /** All of them; read from the store at first use. */
  async all(): Promise<ReadonlyMap<string, RunnerRecord>> {
    await this.#load();
    return this.#records;
  }

  /** What is known of a runner without a look into the store. */
  known(id: string): RunnerRecord | undefined {
    return this.#records.get(id);
  }

  /**
   * Notes that a runner was seen now, with a new offer if it sent one. Never rejects: that something
   * could not be kept is the operator's business, not that of the calls in between.
   *
   * @param payload The offer as the runner wrote it; undefined to keep the last one.
   */
  async remember(
    id: string,
    machine: string,
    payload?: { readonly offer: Offer; readonly text: string },
  ): Promise<void> {
    const seenAt = this.#context.clock.now();
    // At once, so that a runner that is connected can be called whatever the store does.
    if (payload !== undefined) this.#records.set(id, { machine, offer: payload.offer, seenAt });
    try {
      await this.#load();
      if (payload === undefined) {
        const offer = this.#records.get(id)?.offer ?? EMPTY_OFFER;
        this.#records.set(id, { machine, offer, seenAt });
      }
      await this.#store.write(id, { machine, seenAt }, payload?.text);
    } catch (error) {
      this.#context.log("error", "Cannot remember a runner", { error: String(error) });
    }
  }

  #load(): Promise<void> {
    this.#loading ??= this.#read().catch((error: unknown) => {
      this.#loading = undefined;
      throw error;
    });
    return this.#loading;
  }

  async #read(): Promise<void> {
    for (const [id, record] of await this.#store.read()) {
      // What a runner has said since is newer than what it said once.
      if (!this.#records.has(id)) this.#records.set(id, record);
    }
  }
}
