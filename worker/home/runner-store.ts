/**
 * What the store keeps of a tunnel's runners, for records.ts: one entry for each runner, and its last
 * offer in parts, because an entry is bounded and an offer is not.
 *
 * @module
 */
import * as v from "valibot";
import { GatewayError } from "../../src/errors.ts";
import { decodeOffer, EMPTY_OFFER, type Offer } from "../../src/mcp/offer.ts";
import { MAX_LIST_LIMIT } from "../store/limits.ts";
import type { HomeContext } from "./context.ts";

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

/** Reads and writes the entries of one tunnel's runners. */
export class RunnerStore {
  readonly #context: HomeContext;
  readonly #prefix: string;
  /** How many parts of each runner's offer the store has; none for a runner where that is not sure. */
  readonly #parts = new Map<string, number>();

  constructor(context: HomeContext) {
    this.#context = context;
    this.#prefix = `runner/${context.tunnel}/`;
  }

  /**
   * All runners by id, without those whose entries cannot be understood: of another version, or
   * damaged. They offer anew when they connect.
   */
  async read(): Promise<ReadonlyMap<string, RunnerRecord>> {
    const records = new Map<string, RunnerRecord>();
    for (const [key, { value }] of await this.#context.store.list(this.#prefix, MAX_LIST_LIMIT)) {
      const id = key.slice(this.#prefix.length);
      try {
        const { machine, seenAt, parts } = v.parse(stored, JSON.parse(value));
        records.set(id, { machine, seenAt, offer: await this.#readOffer(id, parts) });
        this.#parts.set(id, parts);
      } catch (error) {
        if (error instanceof GatewayError && error.code === "store_unavailable") throw error;
        this.#context.log("error", "Cannot read what a runner offered", { error: String(error) });
      }
    }
    return records;
  }

  /**
   * Writes when a runner was seen, and its offer if it is a new one, in one commit.
   *
   * @param text The offer as the runner wrote it; undefined to keep the last one.
   */
  async write(
    id: string,
    facts: Pick<RunnerRecord, "machine" | "seenAt">,
    text: string | undefined,
  ): Promise<void> {
    const before = this.#parts.get(id);
    if (text === undefined && before === undefined) return;
    const count = text === undefined ? before ?? 0 : Math.ceil(text.length / PART_LENGTH);
    const parts = count > MAX_PARTS ? 0 : count;
    // Before the commit, as the next write may not wait for it; they arrive in their order.
    this.#parts.set(id, parts);
    try {
      await this.#context.store.commit({
        set: [
          { key: `${this.#prefix}${id}`, value: JSON.stringify({ ...facts, parts }) },
          ...Array.from({ length: text === undefined ? 0 : parts }, (_, part) => ({
            key: this.#partKey(id, part),
            value: JSON.stringify(text?.slice(part * PART_LENGTH, (part + 1) * PART_LENGTH)),
          })),
        ],
        del: Array.from(
          { length: Math.max(0, (before ?? 0) - parts) },
          (_, part) => this.#partKey(id, parts + part),
        ),
      });
    } catch (error) {
      this.#parts.delete(id);
      throw error;
    }
  }

  async #readOffer(id: string, parts: number): Promise<Offer> {
    if (parts === 0) return EMPTY_OFFER;
    const entries = await Promise.all(
      Array.from({ length: parts }, (_, part) => this.#context.store.get(this.#partKey(id, part))),
    );
    const texts = entries.map((entry) => v.parse(v.string(), JSON.parse(entry?.value ?? '""')));
    return decodeOffer(texts.join(""));
  }

  #partKey(id: string, part: number): string {
    return `offer/${this.#context.tunnel}/${id}/${part}`;
  }
}
