import type { ScenarioSet } from "./sets.ts";
import type { Verdict } from "./verdict.ts";

/** What is told of one set, in `--json` as it is. */
export interface Report {
  readonly name: string;
  /** Whether everything went as it should. */
  readonly ok: boolean;
  /** Scenarios that passed. */
  readonly value: number;
  readonly unit: "scenarios";
  /** Scenarios that must pass. */
  readonly bound: number;
  /** Scenarios that must have run. */
  readonly total: number;
  /** Single checks that held. */
  readonly passed: number;
  /** Single checks that failed, warned or were skipped. */
  readonly failed: number;
  readonly seconds: number;
}

/** Reports a set that ran. */
export function report(set: ScenarioSet, verdict: Verdict, seconds: number): Report {
  return {
    name: set.name,
    ok: verdict.ok,
    value: verdict.passed,
    unit: "scenarios",
    bound: verdict.required,
    total: set.scenarios.length,
    passed: verdict.checks.passed,
    failed: verdict.checks.failed,
    seconds,
  };
}

/** Reports a set that could not be run. */
export function failedReport(set: ScenarioSet, seconds: number): Report {
  const checks = { passed: 0, failed: 0 };
  const total = set.scenarios.length;
  return report(set, { ok: false, passed: 0, required: total, checks, faults: [] }, seconds);
}

/** Lines of a table with a row for each set. */
export function table(reports: readonly Report[]): readonly string[] {
  const rows = reports.map((it) => [
    it.ok ? "ok" : "FAILED",
    it.name,
    `${it.value} of ${it.total}`,
    `${it.passed} held, ${it.failed} did not`,
    `${it.seconds} s`,
  ]);
  const all = [["", "set", "scenarios", "checks", "time"], ...rows];
  const widths = all.reduce<readonly number[]>(
    (before, row) => row.map((cell, index) => Math.max(before[index] ?? 0, cell.length)),
    [],
  );
  return all.map((row) => row.map((cell, index) => cell.padEnd(widths[index] ?? 0)).join("   "));
}
