import { setImmediate } from "node:timers/promises";

/**
 * Asks again until `look` gives something, for what happens soon but tells nobody when.
 *
 * @param ms Longest wait; then it fails with `what`.
 */
export async function eventually<T>(
  what: string,
  look: () => Promise<T | undefined>,
  ms = 10_000,
): Promise<T> {
  const deadline = Date.now() + ms;
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    if (Date.now() > deadline) throw new Error(`Did not happen within ${ms} ms: ${what}`);
    await setImmediate();
  }
}
