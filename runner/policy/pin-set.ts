/**
 * The pins of one server in memory, and how they meet those of the file.
 *
 * @module
 */
import { type KeptPins, type Pin, withoutText } from "./pin-file.ts";

/** Most names of one list of one server that are pinned. */
export const MAX_PINNED = 10_000;

/** Most text that is kept of the definitions of one server, in UTF-16 code units. */
export const MAX_TEXTS_LENGTH = 4 * 1024 * 1024;

/** The lists whose entries are pinned. */
export type PinnedList = "tools" | "prompts";

/** All of them. */
export const PINNED_LISTS: readonly PinnedList[] = ["tools", "prompts"];

/** Pins by the server's own names. */
export type PinSet = Readonly<Record<PinnedList, Map<string, Pin>>>;

/** A set without a pin. */
export function noPins(): PinSet {
  return { tools: new Map(), prompts: new Map() };
}

/** The set that was kept. */
export function pinsOf({ tools, prompts }: KeptPins): PinSet {
  const byName = (pins: readonly Pin[]) => new Map(pins.map((pin) => [pin.name, pin]));
  return { tools: byName(tools), prompts: byName(prompts) };
}

/** Adds to `set` what of `others` has no pin in it. */
export function addPins(set: PinSet, others: PinSet): void {
  for (const list of PINNED_LISTS) {
    for (const [name, pin] of others[list]) if (!set[list].has(name)) set[list].set(name, pin);
  }
}

/** Whether both hold the same definitions. */
export function isSame(one: PinSet | undefined, other: PinSet | undefined): boolean {
  return PINNED_LISTS.every((list) => {
    const [a, b] = [one?.[list], other?.[list]];
    return (a?.size ?? 0) === (b?.size ?? 0) &&
      [...a ?? []].every(([name, { hash }]) => b?.get(name)?.hash === hash);
  });
}

/**
 * What is to be kept of a server: `first` goes before `second` where both have a pin. Of texts that no
 * longer fit, only the hash is kept.
 *
 * @param whose The server, and when this is written.
 */
export function keptPins(
  whose: Pick<KeptPins, "config" | "server" | "at">,
  first: PinSet,
  second: PinSet,
): KeptPins {
  const all = noPins();
  addPins(all, first);
  addPins(all, second);
  let room = MAX_TEXTS_LENGTH;
  const fitting = (pin: Pin): Pin => {
    const length = pin.text?.length ?? 0;
    if (length > room) return withoutText(pin);
    room -= length;
    return pin;
  };
  const some = (list: PinnedList) => [...all[list].values()].slice(0, MAX_PINNED).map(fitting);
  return { ...whose, tools: some("tools"), prompts: some("prompts") };
}
