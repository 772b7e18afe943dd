import * as v from "valibot";
import { parse } from "yaml";

const text = v.pipe(v.string(), v.nonEmpty());

const file = v.nullable(
  v.record(
    text,
    v.array(v.strictObject({
      scenario: text,
      checks: v.pipe(v.array(text), v.nonEmpty()),
      because: text,
    })),
  ),
);

/** What is known not to hold: ids of checks by scenario. */
export type KnownFailures = ReadonlyMap<string, ReadonlySet<string>>;

/** What is known not to hold for each set, and `on` each runtime. */
export type ExpectedFailures = ReadonlyMap<string, KnownFailures>;

/**
 * Reads expected-failures.yml.
 *
 * @throws {Error} When it has another form, or names a scenario of a set twice.
 */
export function parseExpectedFailures(yaml: string): ExpectedFailures {
  const sets = v.parse(file, parse(yaml)) ?? {};
  return new Map(
    Object.entries(sets).map(([set, entries]) => {
      const scenarios = new Map<string, ReadonlySet<string>>();
      for (const { scenario, checks } of entries) {
        if (scenarios.has(scenario)) throw new Error(`${scenario} is listed twice for ${set}`);
        scenarios.set(scenario, new Set(checks));
      }
      return [set, scenarios];
    }),
  );
}

/** What is known not to hold for a set whose worker runs on `runtime`. */
export function expectedFor(
  expected: ExpectedFailures,
  { name, scenarios }: { readonly name: string; readonly scenarios: readonly string[] },
  runtime: string,
): KnownFailures {
  const there = [...expected.get(`on ${runtime}`) ?? []]
    .filter(([scenario]) => scenarios.includes(scenario));
  return new Map([...expected.get(name) ?? [], ...there]);
}
