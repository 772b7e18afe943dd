/** A figure that was measured several times. */
export interface Figure {
  /** Median. */
  readonly value: number;
  readonly min: number;
  readonly max: number;
}

/**
 * The value below which the share `p` of the values lies: the nearest rank, so it is one of them.
 *
 * @param values In any order, at least one; not changed.
 * @param p Above 0, at most 1.
 */
export function percentile(values: Iterable<number>, p: number): number {
  const sorted = Float64Array.from(values).toSorted();
  const value = sorted[Math.max(0, Math.ceil(p * sorted.length) - 1)];
  if (value === undefined) throw new RangeError("Cannot take a percentile of no values");
  return value;
}

/** The middle value, or the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const upper = sorted[Math.floor(sorted.length / 2)];
  const lower = sorted[Math.ceil(sorted.length / 2) - 1];
  if (upper === undefined || lower === undefined) {
    throw new RangeError("Cannot take the median of no values");
  }
  return (lower + upper) / 2;
}

/** Median, smallest and largest of `values`. */
export function figure(values: readonly number[]): Figure {
  return { value: median(values), min: Math.min(...values), max: Math.max(...values) };
}

/**
 * How `values` compare to `baselines`, each measured right beside its baseline: the ratio is taken pair
 * by pair, so that what slows the machine down for a while slows both down.
 */
export function ratio(values: readonly number[], baselines: readonly number[]): Figure {
  if (values.length !== baselines.length) throw new RangeError("Cannot compare: not in pairs");
  return figure(values.map((value, index) => value / (baselines[index] ?? NaN)));
}

/** `items` turned left by `steps`, so that over rounds each of them comes first as often as any. */
export function rotated<T>(items: readonly T[], steps: number): readonly T[] {
  const at = items.length === 0 ? 0 : steps % items.length;
  return [...items.slice(at), ...items.slice(0, at)];
}
