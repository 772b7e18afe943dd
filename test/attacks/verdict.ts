/**
 * What an attack came to. Whatever is not known to be a refusal counts as a success of the attacker: a new
 * answer of a kernel has to be looked at by a person before it counts for us.
 *
 * @module
 */
import { percentile } from "../../bench/statistics.ts";
import type { Attempt } from "./attempt.ts";

/** `blocked`: nothing of it worked. `contained`: it took what it may have, and no more. */
export type Outcome = "blocked" | "contained" | "FAILED";

/** Something that was measured, and may be at most `bound`. */
export interface Figure {
  readonly what: string;
  readonly value: number;
  readonly unit: string;
  readonly bound: number;
}

/** What one attack came to. */
export interface Finding {
  readonly outcome: Outcome;
  /** What was seen, and from where. */
  readonly evidence: string;
  readonly figures: readonly Figure[];
}

/** Answers of a kernel that mean no. */
export const REFUSALS: readonly string[] = ["EPERM", "EACCES", "EROFS", "ENOSYS"];

/** Answers of a network where nobody is; ECONNREFUSED is none of them, for somebody refuses. */
export const UNREACHABLE: readonly string[] = [
  "ENETUNREACH",
  "EHOSTUNREACH",
  "EADDRNOTAVAIL",
  "silence",
];

/**
 * Judges attempts of which none may work.
 *
 * @param held How an answer that means no begins.
 */
export function blocked(attempts: readonly Attempt[], held: readonly string[]): Finding {
  const wrong = attempts.filter(({ got }) => !held.some((no) => got === no));
  if (attempts.length === 0) return failed("nothing was tried");
  if (wrong.length > 0) return failed(wrong.map(({ what, got }) => `${what}: ${got}`).join(", "));
  const counts = new Map<string, number>();
  for (const { got } of attempts) counts.set(got, (counts.get(got) ?? 0) + 1);
  const answers = [...counts].map(([got, count]) => count === 1 ? got : `${got} ×${count}`);
  return { outcome: "blocked", evidence: answers.join(", "), figures: [] };
}

/** Judges an attack that takes what it can get: every figure must be within its bound. */
export function contained(evidence: string, figures: readonly Figure[]): Finding {
  const over = figures.filter(({ value, bound }) => !(value <= bound));
  if (over.length === 0) return { outcome: "contained", evidence, figures };
  const told = over.map(({ what, value, unit, bound }) =>
    `${what} ${value} ${unit}, bound ${bound} ${unit}`
  );
  return { outcome: "FAILED", evidence: `${told.join(", ")} (${evidence})`, figures };
}

/** The attack worked, or nobody can tell. */
export function failed(evidence: string, figures: readonly Figure[] = []): Finding {
  return { outcome: "FAILED", evidence, figures };
}

/** Both must hold; the outcome of the first counts if they do. */
export function both(one: Finding, other: Finding): Finding {
  const figures = [...one.figures, ...other.figures];
  if (one.outcome === "FAILED" || other.outcome === "FAILED") {
    const told = [one, other].filter(({ outcome }) => outcome === "FAILED");
    return failed(told.map(({ evidence }) => evidence).join("; "), figures);
  }
  return { outcome: one.outcome, evidence: `${one.evidence}; ${other.evidence}`, figures };
}

/** Calls of the control server: milliseconds of those that were answered, and what the others got. */
export interface Calls {
  readonly ms: readonly number[];
  readonly failures: readonly string[];
}

/** How the control server fared beside an attack. */
export interface ControlVerdict {
  readonly ok: boolean;
  /** p99 during the attack, in milliseconds. */
  readonly p99Ms: number;
  /** Twice the p99 before and after it. */
  readonly boundMs: number;
  readonly calls: number;
}

/** How many times slower than idle calls of others may be while an attack runs. */
const SLOWDOWN = 2;

/** Judges the calls that were made during an attack by those before and after it. */
export function judgeControl(idle: Calls, during: Calls): ControlVerdict {
  const p99Ms = percentile(during.ms.length > 0 ? during.ms : [Infinity], 0.99);
  const boundMs = SLOWDOWN * percentile(idle.ms, 0.99);
  return {
    ok: during.failures.length === 0 && p99Ms <= boundMs,
    p99Ms: round(p99Ms),
    boundMs: round(boundMs),
    calls: during.ms.length + during.failures.length,
  };
}

/** Two digits after the point: more of them would be noise. */
export function round(value: number): number {
  return Number(value.toFixed(2));
}
