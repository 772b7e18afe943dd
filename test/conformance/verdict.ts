/**
 * Whether a set of scenarios went as it should. Stricter than the suite's own exit code:
 *
 *     a scenario passes       when something in it held, and nothing failed, warned or was skipped
 *     it fails as expected    when exactly the checks of expected-failures.yml did not hold
 *     it is a fault           when others did not hold, when listed ones did, or when it did not run
 *
 * @module
 */
import type { KnownFailures } from "./expected-failures.ts";
import type { Check, Results } from "./results.ts";

/** Stands for a check where a scenario has none to name. */
export const NOT_RUN = "not-run";

/** Stands for a check where a scenario says nothing. */
export const NOTHING_HELD = "nothing-held";

/** What came of one set. */
export interface Verdict {
  readonly ok: boolean;
  /** Scenarios. */
  readonly passed: number;
  /** Scenarios that must pass: all but those whose failure is listed. */
  readonly required: number;
  /** Single checks, over all scenarios. */
  readonly checks: { readonly passed: number; readonly failed: number };
  /** What is wrong, a line each. */
  readonly faults: readonly string[];
}

/** What a set is judged by. */
export interface Rules {
  /** Scenarios that must have run. */
  readonly scenarios: readonly string[];
  /** None, if absent. */
  readonly expected?: KnownFailures;
}

/** Judges the results of a set. */
export function judge(results: Results, { scenarios, expected = new Map() }: Rules): Verdict {
  if (scenarios.length === 0) throw new RangeError("A set without scenarios proves nothing");
  const faults: string[] = [];
  for (const name of [...results.keys(), ...expected.keys()]) {
    if (!scenarios.includes(name)) faults.push(`${name}: is no scenario of this set`);
  }
  let passed = 0;
  for (const name of scenarios) {
    const broken = brokenChecks(results.get(name));
    if (broken.size === 0) passed++;
    const listed = expected.get(name) ?? new Set<string>();
    for (const [id, why] of broken) {
      if (!listed.has(id)) faults.push(`${name}: ${id}: ${why}`);
    }
    for (const id of listed) {
      if (!broken.has(id)) faults.push(`${name}: ${id}: holds now, take it off the list`);
    }
  }
  const all = [...results.values()].flat();
  const count = (wanted: (check: Check) => boolean) => all.filter(wanted).length;
  return {
    ok: faults.length === 0,
    passed,
    required: scenarios.length - scenarios.filter((name) => expected.has(name)).length,
    checks: { passed: count(({ status }) => status === "SUCCESS"), failed: count(isBroken) },
    faults: [...new Set(faults)],
  };
}

function isBroken({ status }: Check): boolean {
  return status === "FAILURE" || status === "WARNING" || status === "SKIPPED";
}

/** Checks that do not hold, by id, with what the suite says of them. */
function brokenChecks(checks: readonly Check[] | undefined): ReadonlyMap<string, string> {
  if (checks === undefined) return new Map([[NOT_RUN, "the scenario did not run"]]);
  const broken = checks.filter(isBroken).map(({ id, status, errorMessage }) => {
    const why = (errorMessage ?? "").replaceAll(/\s+/g, " ");
    return [id, `${status} ${why}`.trim()] as const;
  });
  if (broken.length > 0) return new Map(broken);
  if (checks.some(({ status }) => status === "SUCCESS")) return new Map();
  return new Map([[NOTHING_HELD, "the scenario checked nothing"]]);
}
