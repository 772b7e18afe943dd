/** Time between attempts. All fields are milliseconds. */
export interface Backoff {
  /** Upper bound of the first wait. */
  readonly firstMs: number;
  /** Upper bound of every wait, reached by doubling. */
  readonly maxMs: number;
}

/**
 * How long to wait before the next attempt: uniformly random between 0 and the bound, so that runners
 * cut off by one worker restart do not all come back in the same second.
 *
 * @param failures Attempts that failed in a row, 1 after the first.
 * @param random In [0, 1); tests pass a fixed one.
 * @returns Milliseconds, whole.
 */
export function nextWaitMs(
  { firstMs, maxMs }: Backoff,
  failures: number,
  random: () => number = Math.random,
): number {
  const bound = Math.min(maxMs, firstMs * 2 ** Math.min(failures - 1, 30));
  return Math.floor(random() * bound);
}
