import { aligned } from "../../bench/table.ts";
import { type ControlVerdict, type Figure, type Finding, type Outcome, round } from "./verdict.ts";

/** What is told of one attack, in `--json` as it is. */
export interface Report {
  readonly name: string;
  /** Whether it did not work, and the control server did not notice it. */
  readonly ok: boolean;
  /** p99 of the control server's calls during the attack; null when it could not be carried out. */
  readonly value: number | null;
  readonly unit: "ms";
  /** Twice the p99 of the calls before and after. */
  readonly bound: number | null;
  readonly outcome: Outcome;
  readonly evidence: string;
  readonly figures: readonly Figure[];
  /** Calls of the control server during the attack. */
  readonly calls: number;
  /** Whether the control server was too slow at first, and the attack was carried out once more. */
  readonly repeated: boolean;
  readonly seconds: number;
}

/** What an attack came to, and its control server. */
export interface Result {
  readonly name: string;
  readonly finding: Finding;
  readonly control: ControlVerdict | undefined;
  readonly repeated: boolean;
  readonly seconds: number;
}

/** Reports one attack. */
export function report({ name, finding, control, repeated, seconds }: Result): Report {
  return {
    name,
    ok: finding.outcome !== "FAILED" && control?.ok === true,
    value: control === undefined || !Number.isFinite(control.p99Ms) ? null : control.p99Ms,
    unit: "ms",
    bound: control?.boundMs ?? null,
    outcome: finding.outcome,
    evidence: finding.evidence,
    figures: finding.figures,
    calls: control?.calls ?? 0,
    repeated,
    seconds: round(seconds),
  };
}

/** Lines of a table with a row for each attack. */
export function table(reports: readonly Report[]): readonly string[] {
  const rows = reports.map((it) => [
    it.ok ? "ok" : "FAILED",
    it.name,
    it.outcome,
    `${it.value ?? "?"} of ${it.bound ?? "?"} ms${it.repeated ? " (repeated)" : ""}`,
    [...it.figures.map(told), it.evidence].join(", ").slice(0, 160),
  ]);
  return aligned([["", "attack", "outcome", "control server, p99", "seen"], ...rows]);
}

function told({ what, value, unit, bound }: Figure): string {
  const of = (amount: number) => unit === "" ? `${amount}` : `${amount} ${unit}`;
  return `${what} ${of(value)} of ${of(bound)}`;
}
