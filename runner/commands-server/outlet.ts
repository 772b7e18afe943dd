/** Hands lines to one listener; those that come before it are kept. */
export class Outlet<T> {
  #listener: ((value: T) => void) | undefined;
  #kept: T[] = [];

  /** Sets the listener, which gets what was kept at once. */
  listen(listener: (value: T) => void): void {
    this.#listener = listener;
    const kept = this.#kept;
    this.#kept = [];
    for (const value of kept) listener(value);
  }

  /** Hands `value` on, never before `write` has returned. */
  push(value: T): void {
    queueMicrotask(() => {
      if (this.#listener === undefined) this.#kept.push(value);
      else this.#listener(value);
    });
  }
}
