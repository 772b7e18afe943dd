/**
 * Counts the open sockets of each remote address.
 *
 * @module
 */

/** Says whether one more socket of an address may stay open, and learns when it has closed. */
export class SocketCap {
  readonly #max: number;
  readonly #open = new Map<string, number>();

  /** @param max Sockets of one address at a time; 0: any number. */
  constructor(max: number) {
    this.#max = max;
  }

  /** Takes a place for a socket of `address`; false if all of its places are taken. */
  enter(address: string): boolean {
    if (this.#max === 0) return true;
    const open = this.#open.get(address) ?? 0;
    if (open >= this.#max) return false;
    this.#open.set(address, open + 1);
    return true;
  }

  /** Gives back the place of a socket that had entered. */
  leave(address: string): void {
    const open = this.#open.get(address) ?? 0;
    if (open > 1) this.#open.set(address, open - 1);
    else this.#open.delete(address);
  }
}
