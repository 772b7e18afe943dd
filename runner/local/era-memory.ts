import { readFile } from "node:fs/promises";
import { join } from "node:path";
import * as v from "valibot";
import type { Clock } from "../../src/clock.ts";
import type { Era, EraMemory } from "../server/era.ts";
import { replaceFile } from "./atomic-file.ts";

/**
 * Milliseconds for which a server counts as legacy before it is asked again: one that has become modern
 * would be served the old way for ever, because that works, too.
 */
const LEGACY_TTL_MS = 7 * 24 * 60 * 60 * 1_000;

/** Most servers that are remembered; those that were asked longest ago are forgotten first. */
const MAX_ENTRIES = 1_000;

const verdicts = v.record(
  v.string(),
  v.object({ era: v.picklist(["modern", "legacy"]), at: v.number() }),
);

type Verdicts = v.InferOutput<typeof verdicts>;

/** Which images of this machine hold servers of which era, in a file of the state directory. */
export class EraMemories {
  readonly #path: string;
  readonly #clock: Clock;
  #verdicts: Verdicts;
  #writing: Promise<void> = Promise.resolve();

  constructor(path: string, clock: Clock, read: Verdicts) {
    this.#path = path;
    this.#clock = clock;
    this.#verdicts = read;
  }

  /** Reads `eras.json` of the state directory; one that cannot be read counts as empty. */
  static async open(home: string, clock: Clock): Promise<EraMemories> {
    const path = join(home, "eras.json");
    return new EraMemories(path, clock, await read(path));
  }

  /**
   * The memory for one image.
   *
   * @param image Gives its id or digest, which says what is inside; undefined while that is not known.
   */
  of(image: () => string | undefined): EraMemory {
    return {
      get: () => this.#get(image()),
      set: (era) => this.#set(image(), era),
    };
  }

  /** Resolves when everything is written. */
  async settled(): Promise<void> {
    await this.#writing;
  }

  #get(image: string | undefined): Era | undefined {
    const verdict = image === undefined ? undefined : this.#verdicts[image];
    if (verdict === undefined) return undefined;
    const old = this.#clock.now() - verdict.at >= LEGACY_TTL_MS;
    return verdict.era === "legacy" && old ? undefined : verdict.era;
  }

  #set(image: string | undefined, era: Era): void {
    if (image === undefined) return;
    const others = Object.entries(this.#verdicts).filter(([key]) => key !== image)
      .toSorted(([, a], [, b]) => b.at - a.at).slice(0, MAX_ENTRIES - 1);
    this.#verdicts = Object.fromEntries([[image, { era, at: this.#clock.now() }], ...others]);
    const text = JSON.stringify(this.#verdicts);
    this.#writing = this.#writing.then(() => replaceFile(this.#path, text)).catch(() => {
      // It is only faster with the file: the next start asks the servers again.
    });
  }
}

async function read(path: string): Promise<Verdicts> {
  try {
    const parsed = v.safeParse(verdicts, JSON.parse(await readFile(path, "utf8")));
    return parsed.success ? parsed.output : {};
  } catch {
    // Missing or torn: nothing is known, and servers are asked.
    return {};
  }
}
