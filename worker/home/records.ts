/**
 * What a home remembers of its runners, connected or away: their machine, their offer, and when they
 * were last seen. Held in memory, kept in the store for the next start or wake.
 *
 * @module
 */
import * as v from "valibot";
import { GatewayError } from "../../src/errors.ts";
import { decodeOffer, EMPTY_OFFER, type Offer } from "../../src/mcp/offer.ts";
import type { HomeContext } from "./context.ts";
import { mayHave } from "./listing.ts";

/** UTF-16 code units of an offer per entry: as JSON at most 60,000 bytes, the store takes 60 KiB. */
const PART_LENGTH = 10_000;

/** Most parts of a stored offer; a longer offer is known only while its runner is connected. */
const MAX_PARTS = 90;

const stored = v.object({
  machine: v.string(),
  seenAt: v.number(),
  /** Entries `<key>/0` … that together hold the offer's text. */
  parts: v.pipe(v.number(), v.integer(), v.maxValue(MAX_PARTS)),
});

/** A runner that has connected at least once. */
export interface RunnerRecord {
  readonly machine: string;
  readonly offer: Offer;
  /** When it connected, offered something or disconnected last; ms since the epoch. */
  readonly seenAt: number;
}

/** The remembered runners of one tunnel, by runner id. */
export class RunnerRecords {
  readonly #context: HomeContext;
  readonly #prefix: string;
  #loading: Promise<Map<string, RunnerRecord>> | undefined;

  constructor(context: HomeContext) {
    this.#context = context;
    this.#prefix = `runner/${context.tunnel}/`;
  }

  /** All of them; read from the store at first use. */
  all(): Promise<ReadonlyMap<string, RunnerRecord>> {
    return this.#load();
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
    try {
      const records = await this.#load();
      const offer = payload?.offer ?? records.get(id)?.offer ?? EMPTY_OFFER;
      const seenAt = this.#context.clock.now();
      records.set(id, { machine, offer, seenAt });
      if (payload !== undefined) await this.#write(id, { machine, seenAt }, payload.text);
    } catch (error) {
      this.#context.log("error", "Cannot remember a runner", { error: String(error) });
    }
  }

  /** Why the tool `name` cannot be called while its runner is away, and what its owner can do. */
  async offline(name: string): Promise<GatewayError> {
    const records = [...(await this.#load()).values()];
    const owner = records.find(({ offer }) => mayHave(offer, name)) ?? records[0];
    if (owner === undefined) {
      return new GatewayError(
        "runner_offline",
        'Cannot call the tool: no runner has connected yet, run "npx mcp-runner connect" ' +
          "on the machine that has the servers",
      );
    }
    return new GatewayError(
      "runner_offline",
      `Cannot call the tool: the runner on "${owner.machine}" is not connected, last seen ` +
        `${ago(this.#context.clock.now() - owner.seenAt)}; run "npx mcp-runner connect" there`,
    );
  }

  #load(): Promise<Map<string, RunnerRecord>> {
    this.#loading ??= this.#read().catch((error: unknown) => {
      this.#loading = undefined;
      throw error;
    });
    return this.#loading;
  }

  async #read(): Promise<Map<string, RunnerRecord>> {
    const { store } = this.#context;
    const records = new Map<string, RunnerRecord>();
    for (const [key, { value }] of await store.list(this.#prefix)) {
      const { machine, seenAt, parts } = v.parse(stored, JSON.parse(value));
      const id = key.slice(this.#prefix.length);
      const texts = await Promise.all(
        Array.from({ length: parts }, (_, part) => store.get(this.#partKey(id, part))),
      );
      const text = texts.map((entry) => v.parse(v.string(), JSON.parse(entry?.value ?? '""')));
      const offer = parts === 0 ? EMPTY_OFFER : decodeOffer(text.join(""));
      records.set(id, { machine, offer, seenAt });
    }
    return records;
  }

  async #write(
    id: string,
    facts: { readonly machine: string; readonly seenAt: number },
    text: string,
  ): Promise<void> {
    const count = Math.ceil(text.length / PART_LENGTH);
    const parts = count > MAX_PARTS ? 0 : count;
    await this.#context.store.commit({
      set: [
        { key: `${this.#prefix}${id}`, value: JSON.stringify({ ...facts, parts }) },
        ...Array.from({ length: parts }, (_, part) => ({
          key: this.#partKey(id, part),
          value: JSON.stringify(text.slice(part * PART_LENGTH, (part + 1) * PART_LENGTH)),
        })),
      ],
    });
  }

  #partKey(id: string, part: number): string {
    return `offer/${this.#context.tunnel}/${id}/${part}`;
  }
}

function ago(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 120) return `${seconds} s ago`;
  if (seconds < 7_200) return `${Math.round(seconds / 60)} min ago`;
  return `${Math.round(seconds / 3_600)} h ago`;
}
