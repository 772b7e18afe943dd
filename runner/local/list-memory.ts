import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import * as v from "valibot";
import type { Clock } from "../../src/clock.ts";
import { listNames } from "../../src/mcp/offer.ts";
import type { ServerLists } from "../server/listed.ts";
import { isUsable } from "../server/lists.ts";
import type { ListMemory } from "../server/managed-server.ts";
import { replaceFile } from "./atomic-file.ts";

/** Most servers that are remembered; those that listed longest ago are forgotten first. */
const MAX_ENTRIES = 200;

/**
 * Characters of one server's lists; a server that lists more is asked at each start. The whole file is
 * written whenever one of them changes, so that this is also what a hostile one can cost.
 */
const MAX_ENTRY_LENGTH = 1024 * 1024;

/** Characters of all of them. */
const MAX_LENGTH = 8 * 1024 * 1024;

const entry = v.object({ key: v.string(), raw: v.string() });
const broken = v.object({
  list: v.picklist(["tools", "prompts", "resources", "resourceTemplates"]),
  key: v.string(),
  why: v.string(),
});
const lists = v.object({
  tools: v.array(entry),
  prompts: v.array(entry),
  resources: v.array(entry),
  resourceTemplates: v.array(entry),
  broken: v.array(broken),
  reads: v.boolean(),
  tasks: v.boolean(),
  instructions: v.string(),
});
const kept = v.record(
  v.string(),
  v.object({ at: v.number(), text: v.pipe(v.string(), v.maxLength(MAX_ENTRY_LENGTH)) }),
);

type Kept = v.InferOutput<typeof kept>;

/** What the programs of this machine list, in a file of the state directory. */
export class ListMemories {
  readonly #path: string;
  readonly #clock: Clock;
  readonly #redact: (json: string) => string;
  #kept: Kept;
  #writing: Promise<void> = Promise.resolve();
  #dirty = false;

  private constructor(
    path: string,
    { clock, redact, kept }: {
      readonly clock: Clock;
      readonly redact: (json: string) => string;
      readonly kept: Kept;
    },
  ) {
    this.#path = path;
    this.#clock = clock;
    this.#redact = redact;
    this.#kept = kept;
  }

  /**
   * Reads `lists.json` of the state directory; one that cannot be read counts as empty.
   *
   * @param redact Takes secrets out of a JSON text; the same string if it holds none. Lists that hold one
   * are not kept.
   */
  static async open(
    home: string,
    clock: Clock,
    redact: (json: string) => string = (json) => json,
  ): Promise<ListMemories> {
    const path = join(home, "lists.json");
    return new ListMemories(path, { clock, redact, kept: await read(path) });
  }

  /**
   * The memory for one program.
   *
   * @param key Says which program it is, with all that its lists depend on; undefined while that is not
   * known. Only its hash is kept.
   */
  of(key: () => string | undefined): ListMemory {
    return {
      get: () => this.#get(idOf(key())),
      set: (listed) => this.#set(idOf(key()), listed),
    };
  }

  /** Resolves when everything is written. */
  async settled(): Promise<void> {
    await this.#writing;
  }

  #get(id: string | undefined): ServerLists | undefined {
    const found = id === undefined ? undefined : this.#kept[id];
    if (found === undefined) return undefined;
    const parsed = v.safeParse(lists, parse(found.text));
    if (!parsed.success) return undefined;
    const whole = listNames().every((list) =>
      parsed.output[list].every((each) => isUsable(list, each))
    );
    return whole ? parsed.output : undefined;
  }

  #set(id: string | undefined, listed: ServerLists): void {
    if (id === undefined) return;
    const others = Object.entries(this.#kept).filter(([other]) => other !== id)
      .toSorted(([, a], [, b]) => b.at - a.at).slice(0, MAX_ENTRIES - 1);
    const text = JSON.stringify(listed);
    const own: typeof others = text.length > MAX_ENTRY_LENGTH || this.#holdsSecret(listed)
      ? []
      : [[id, { at: this.#clock.now(), text }]];
    if (own.length === 0 && this.#kept[id] === undefined) return;
    let length = 0;
    const fitting = [...own, ...others].filter(([, each]) =>
      (length += each.text.length) <= MAX_LENGTH
    );
    this.#kept = Object.fromEntries(fitting);
    this.#write();
  }

  /** Each text for itself: one inside of another is escaped twice, which can hide a value. */
  #holdsSecret({ broken, instructions, ...listed }: ServerLists): boolean {
    const raws = listNames().flatMap((list) => listed[list].map(({ raw }) => raw));
    const words = listNames().flatMap((list) => listed[list].map(({ key }) => key));
    return [...raws, JSON.stringify([instructions, words, broken])]
      .some((json) => this.#redact(json) !== json);
  }

  /** Many changes that come at once are written once. */
  #write(): void {
    if (this.#dirty) return;
    this.#dirty = true;
    this.#writing = this.#writing.then(() => {
      this.#dirty = false;
      return replaceFile(this.#path, JSON.stringify(this.#kept));
    }).catch(() => {
      // It is only faster with the file: the next start asks the servers again.
    });
  }
}

/** Keys may hold what the user would not like to find in a file, such as arguments. */
function idOf(key: string | undefined): string | undefined {
  return key === undefined ? undefined : createHash("sha256").update(key).digest("hex");
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

async function read(path: string): Promise<Kept> {
  try {
    const text = await readFile(path, "utf8");
    const parsed = v.safeParse(kept, text.length > 2 * MAX_LENGTH ? {} : JSON.parse(text));
    return parsed.success ? parsed.output : {};
  } catch {
    // Missing or torn: nothing is known, and servers are asked.
    return {};
  }
}
