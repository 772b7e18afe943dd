import type { Echo } from "./echo.ts";
import { type Measured, runLoad } from "./load.ts";
import { type Load, LOADS, type Plan } from "./options.ts";
import { rotated } from "./statistics.ts";
import type { Subject } from "./subject/subject.ts";

/** What was measured of one subject at one load, round by round. */
export type Rounds = readonly Measured[];

/** What was measured, by load and subject. */
export type Results = Readonly<Record<Load, ReadonlyMap<Subject, Rounds>>>;

/** How to measure. */
export interface RoundsOptions {
  readonly plan: Plan;
  readonly nextEcho: () => Echo;
  readonly signal: AbortSignal;
  readonly say: (line: string) => void;
}

/**
 * Measures the subjects in rounds. They all stay up, and take turns: each of them in each round, in an
 * order that is turned by one from round to round, so that a slow minute of the machine, or the
 * neighbour before, falls on everybody alike.
 *
 * @throws {SubjectError} When one of them fails.
 */
export async function measureRounds(
  subjects: readonly Subject[],
  { plan, nextEcho, signal, say }: RoundsOptions,
): Promise<Results> {
  say(`Warming up: ${subjects.length} subjects, ${plan.warmUpCalls} calls each`);
  for (const subject of subjects) {
    await runLoad(subject, { calls: plan.warmUpCalls, inFlight: 16, nextEcho, signal });
  }
  const blank = () => new Map(subjects.map((subject) => [subject, [] as Measured[]]));
  const results: Record<Load, Map<Subject, Measured[]>> = { 1: blank(), 16: blank() };
  for (let round = 0; round < plan.rounds; round++) {
    say(`Round ${round + 1} of ${plan.rounds}`);
    for (const inFlight of LOADS) {
      for (const subject of rotated(subjects, round)) {
        await runLoad(subject, { calls: plan.wakeCalls, inFlight, nextEcho, signal });
        const calls = plan.calls[inFlight];
        const measured = await runLoad(subject, { calls, inFlight, nextEcho, signal });
        results[inFlight].get(subject)?.push(measured);
      }
    }
  }
  return results;
}
