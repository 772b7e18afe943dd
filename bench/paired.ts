/** Milliseconds of something and, measured right beside it each time, of what it is compared to. */
export interface Paired {
  readonly name: string;
  readonly ms: readonly number[];
  readonly baseline: string;
  readonly baselineMs: readonly number[];
}

/** Measures the two in turn, `times` times, after one pair that does not count. */
export async function measurePairs(
  names: Pick<Paired, "name" | "baseline">,
  { times, signal, each, baseline }: {
    readonly times: number;
    readonly signal: AbortSignal;
    readonly each: () => Promise<number>;
    readonly baseline: () => Promise<number>;
  },
): Promise<Paired> {
  const ms: number[] = [];
  const baselineMs: number[] = [];
  for (let time = 0; time <= times; time++) {
    signal.throwIfAborted();
    baselineMs.push(await baseline());
    ms.push(await each());
  }
  return { ...names, ms: ms.slice(1), baselineMs: baselineMs.slice(1) };
}
