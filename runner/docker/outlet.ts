/**
 * Where output of a container goes: to a listener, or into a short queue until there is one. A server may
 * write before `startContainer` has returned, and the socket must not wait. Called by attached.ts and init-fallback.ts.
 *
 * @module
 */

/** Values that are kept while nobody listens; older ones are dropped. */
const KEPT = 1_000;

/** Hands values to one listener, in order and none twice. */
export class Outlet<T> {
  #listener: ((value: T) => void) | undefined;
  #kept: T[] = [];

  /** Sets the listener, which gets what was kept at once. A later one replaces it. */
  listen(listener: (value: T) => void): void {
    this.#listener = listener;
    const kept = this.#kept;
    this.#kept = [];
    for (const value of kept) listener(value);
  }

  /** Hands `value` on. */
  push(value: T): void {
    if (this.#listener !== undefined) return this.#listener(value);
    this.#kept.push(value);
    if (this.#kept.length > KEPT) this.#kept.shift();
  }
}
