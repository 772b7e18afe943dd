/**
 * Pins of what servers say that their tools and prompts are. The first definition that is seen is
 * pinned; one that differs from its pin is hidden from clients until a person has agreed to it, so that
 * a server cannot change what was agreed to.
 *
 * @module
 */
import type { Clock } from "../../src/clock.ts";
import { toGatewayError } from "../../src/errors.ts";
import { type Log, printable } from "../../src/log.ts";
import { isAllowed, type ServerRules } from "../../src/policy/allowlist.ts";
import type { Journal } from "../journal/journal.ts";
import type { ListedEntry, ServerLists } from "../server/listed.ts";
import { ChangeReport } from "./change-report.ts";
import { changedText, definitionHash } from "./definition.ts";
import { changePins, type KeptPins, type Pin, readPins } from "./pin-file.ts";
import {
  addPins,
  isSame,
  keptPins,
  MAX_PINNED,
  noPins,
  PINNED_LISTS,
  type PinnedList,
  type PinSet,
  pinsOf,
} from "./pin-set.ts";

/** Longest definition of which the text is kept, in UTF-16 code units. */
const MAX_TEXT = 64 * 1024;

/** Why entries are hidden, each the end of a sentence about it. */
export type Hidden = ReadonlyMap<ListedEntry, string>;

/** The pins of one server. */
export interface ServerPins {
  /** Another number whenever entries may be hidden that were not, or the other way round. */
  readonly revision: number;
  /** What of these lists is not as it is pinned; what is seen for the first time is pinned. */
  judge(lists: ServerLists, rules: ServerRules): Hidden;
}

/** A definition that is not as it is pinned, or for which there is no pin left. */
export interface ChangedDefinition {
  readonly list: PinnedList;
  readonly key: string;
  /** Raw JSON text as pinned; undefined if there was no room to keep it. */
  readonly before: string | undefined;
  /** As it is now. */
  readonly after: string;
}

/** What pins are made from. */
export interface ToolPinsOptions {
  /** The state directory. */
  readonly home: string;
  /** Absolute path of the config whose servers they are of. */
  readonly config: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly journal: Journal;
  /** Takes secrets out of what is kept: their values may change, and stand in no file of ours. */
  readonly redact?: (text: string) => string;
  /** Called when somebody else has changed a pin. */
  readonly changed: () => void;
}

/** The pins of the servers of one config. */
export class ToolPins {
  readonly #options: ToolPinsOptions;
  readonly #servers = new Map<string, PinSet>();
  /** Pinned here, and not in the file yet. */
  readonly #unsaved = new Map<string, PinSet>();
  readonly #report: ChangeReport;
  readonly #hashes = new WeakMap<ListedEntry, string>();
  #revision = 0;
  #dirty = false;
  #failed = false;
  #writing: Promise<void> = Promise.resolve();

  constructor(options: ToolPinsOptions, kept: readonly KeptPins[] = []) {
    this.#options = options;
    this.#report = new ChangeReport(options);
    this.#take(kept);
  }

  /**
   * Reads the pins of this config.
   *
   * @throws {GatewayError} `store_unavailable` or `credentials_unsafe` when they cannot be read.
   */
  static async open(options: ToolPinsOptions): Promise<ToolPins> {
    return new ToolPins(options, await readPins(options.home));
  }

  /** The pins of the server with this name. */
  of(server: string): ServerPins {
    const revision = () => this.#revision;
    return {
      get revision() {
        return revision();
      },
      judge: (lists, rules) => this.#judge(server, lists, rules),
    };
  }

  /** What of the lists of `server` is not as it is pinned; nothing is pinned by this. */
  changes(server: string, lists: ServerLists): readonly ChangedDefinition[] {
    const pins = this.#servers.get(server);
    return PINNED_LISTS.flatMap((list) =>
      lists[list].flatMap((entry): readonly ChangedDefinition[] => {
        const pin = pins?.[list].get(entry.key);
        const isFirst = pin === undefined && (pins?.[list].size ?? 0) < MAX_PINNED;
        if (isFirst || (pin !== undefined && this.#matches(pin, entry))) return [];
        return [{ list, key: entry.key, before: pin?.text, after: this.#redacted(entry.raw) }];
      })
    );
  }

  /** Whether anything of `server` is pinned. */
  knows(server: string): boolean {
    const pins = this.#servers.get(server);
    return pins !== undefined && PINNED_LISTS.some((list) => pins[list].size > 0);
  }

  /**
   * Pins these as they are now; everything else stays pinned as it was.
   *
   * @throws {GatewayError} `store_unavailable` when it cannot be kept.
   */
  async accept(server: string, changes: readonly ChangedDefinition[]): Promise<void> {
    const { home, config, clock } = this.#options;
    const fresh = noPins();
    for (const { list, key, after } of changes) {
      fresh[list].set(key, this.#pinOf({ key, raw: after }));
    }
    await this.#inTurn(async () => {
      this.#replace(
        await changePins(home, (all) => {
          const old = all.find((one) => one.config === config && one.server === server);
          const before = old === undefined ? noPins() : pinsOf(old);
          const own = keptPins({ config, server, at: clock.now() }, fresh, before);
          return [...all.filter((one) => one !== old), own];
        }),
      );
    });
  }

  /**
   * Pins all of these lists as they are now.
   *
   * @throws {GatewayError} as `accept`.
   */
  async adopt(server: string, lists: ServerLists): Promise<void> {
    const all = PINNED_LISTS.flatMap((list) =>
      lists[list].map(({ key, raw }) => ({ list, key, before: undefined, after: raw }))
    );
    await this.accept(server, all);
  }

  /** Reads the file again: another process may have changed it. Never rejects. */
  async reload(): Promise<void> {
    try {
      await this.#inTurn(async () => this.#replace(await readPins(this.#options.home)));
    } catch (thrown) {
      this.#complain(toGatewayError(thrown).message);
    }
  }

  /** Resolves when everything is written. */
  async settled(): Promise<void> {
    await this.#writing;
  }

  #judge(server: string, lists: ServerLists, rules: ServerRules): Hidden {
    const pins = at(this.#servers, server);
    const hidden = new Map<ListedEntry, string>();
    for (const list of PINNED_LISTS) {
      for (const entry of lists[list]) {
        const pin = pins[list].get(entry.key);
        if (pin === undefined) {
          if (pins[list].size < MAX_PINNED) this.#pin(server, pins, { list, entry });
          else hidden.set(entry, `is new after ${MAX_PINNED} others, and is hidden`);
        } else if (!this.#matches(pin, entry)) {
          const members = pin.text === undefined ? "" : changedText(pin.text, entry.raw);
          hidden.set(entry, `has changed since it was agreed to${members}, and is hidden`);
          if (!isAllowed(rules[list], entry.key)) continue;
          const [{ key }, hash, pinned] = [entry, this.#hash(entry), pin.hash];
          this.#report.tell(server, { list, key, hash, pinned, members });
        }
      }
    }
    return hidden;
  }

  #matches(pin: Pin, entry: ListedEntry): boolean {
    const { text, hash } = pin;
    if (text === entry.raw || hash === this.#hash(entry)) return true;
    if (text === undefined) return false;
    // What has become known as a secret since is no longer in what is compared.
    const [was, is] = [this.#redacted(text), this.#redacted(entry.raw)];
    return (was !== text || is !== entry.raw) && definitionHash(was) === definitionHash(is);
  }

  #hash(entry: ListedEntry): string {
    let hash = this.#hashes.get(entry);
    if (hash === undefined) {
      this.#hashes.set(entry, hash = definitionHash(this.#redacted(entry.raw)));
    }
    return hash;
  }

  #redacted(raw: string): string {
    return this.#options.redact?.(raw) ?? raw;
  }

  #pinOf(entry: ListedEntry): Pin {
    const { key: name } = entry;
    const raw = this.#redacted(entry.raw);
    return { name, hash: this.#hash(entry), ...(raw.length <= MAX_TEXT && { text: raw }) };
  }

  #pin(
    server: string,
    pins: PinSet,
    { list, entry }: { readonly list: PinnedList; readonly entry: ListedEntry },
  ): void {
    const pin = this.#pinOf(entry);
    pins[list].set(entry.key, pin);
    at(this.#unsaved, server)[list].set(entry.key, pin);
    this.#save();
  }

  /** Many that come at once are written once. */
  #save(): void {
    if (this.#dirty) return;
    this.#dirty = true;
    void this.#inTurn(async () => {
      this.#dirty = false;
      const mine = new Map(this.#unsaved);
      this.#unsaved.clear();
      try {
        this.#replace(await this.#write(mine));
        this.#failed = false;
      } catch (thrown) {
        for (const [server, pins] of mine) addPins(at(this.#unsaved, server), pins);
        this.#complain(toGatewayError(thrown).message);
      }
    });
  }

  /** What somebody else has pinned first stays; the rest is added. */
  #write(mine: ReadonlyMap<string, PinSet>): Promise<readonly KeptPins[]> {
    const { home, config, clock } = this.#options;
    return changePins(home, (all) => {
      const isMine = (one: KeptPins) => one.config === config && mine.has(one.server);
      const old = new Map(all.filter(isMine).map((one) => [one.server, pinsOf(one)]));
      const own = [...mine].map(([server, pins]) =>
        keptPins({ config, server, at: clock.now() }, old.get(server) ?? noPins(), pins)
      );
      return [...all.filter((one) => !isMine(one)), ...own];
    });
  }

  /** One after the other: what is being written must not be taken for what is not there. */
  #inTurn(work: () => Promise<void>): Promise<void> {
    const mine = this.#writing.then(work);
    this.#writing = mine.catch(() => {});
    return mine;
  }

  #complain(error: string): void {
    if (this.#failed) return;
    this.#failed = true;
    this.#options.log(
      "warn",
      "Cannot keep what tools were agreed to: changes while no runner runs are not noticed",
      {
        error: printable(error),
      },
    );
  }

  /** From now on the pins are these, and those that are not in the file yet. */
  #replace(all: readonly KeptPins[]): void {
    const before = new Map(this.#servers);
    this.#servers.clear();
    this.#take(all);
    for (const [server, unsaved] of this.#unsaved) addPins(at(this.#servers, server), unsaved);
    const names = [...new Set([...before.keys(), ...this.#servers.keys()])];
    const others = names.filter((name) => !isSame(before.get(name), this.#servers.get(name)));
    if (others.length === 0) return;
    for (const name of others) this.#report.forget(name);
    this.#revision++;
    this.#options.changed();
  }

  #take(all: readonly KeptPins[]): void {
    for (const one of all) {
      if (one.config === this.#options.config) this.#servers.set(one.server, pinsOf(one));
    }
  }
}

/** The pins of `server`, new ones if there are none. */
function at(servers: Map<string, PinSet>, server: string): PinSet {
  let pins = servers.get(server);
  if (pins === undefined) servers.set(server, pins = noPins());
  return pins;
}
