import { parseArgs } from "node:util";

/** Calls in flight at a time; each figure exists for each of them. */
export const LOADS = [1, 16] as const;

/** One of `LOADS`. */
export type Load = (typeof LOADS)[number];

/** How much is measured. */
export interface Plan {
  /** Every round measures every subject once at every load, in another order. */
  readonly rounds: number;
  /** Calls of one subject in one round, by load. */
  readonly calls: Readonly<Record<Load, number>>;
  /** Calls of each subject before the first round, so that its code is compiled. */
  readonly warmUpCalls: number;
  /** Calls right before each measurement: the subject has slept while the others were measured. */
  readonly wakeCalls: number;
  /** Cold calls, and as many starts of their baseline. */
  readonly coldCalls: number;
  /** Starts of each program whose start-up is measured. */
  readonly starts: number;
}

/** About three minutes on two cores. */
const FULL: Plan = {
  rounds: 20,
  calls: { 1: 200, 16: 1_000 },
  warmUpCalls: 8_000,
  wakeCalls: 32,
  coldCalls: 6,
  starts: 10,
};

/** Whether everything works; its figures say little. */
const QUICK: Plan = {
  rounds: 2,
  calls: { 1: 100, 16: 400 },
  warmUpCalls: 200,
  wakeCalls: 32,
  coldCalls: 1,
  starts: 2,
};

/** What the command line asks for. */
export interface Options {
  readonly json: boolean;
  readonly help: boolean;
  readonly plan: Plan;
}

/** How to call the benchmark. */
export const USAGE = `Usage: npm run bench -- [--quick] [--json]

  --quick   a smoke run of under 40 s
  --json    print one line of JSON at the end instead of tables`;

/**
 * Reads the command line.
 *
 * @throws {TypeError} For an option that does not exist.
 */
export function readOptions(args: readonly string[]): Options {
  const flag = { type: "boolean", default: false } as const;
  const options = { json: flag, quick: flag, help: flag };
  const { values } = parseArgs({ args: [...args], options });
  return { json: values.json, help: values.help, plan: values.quick ? QUICK : FULL };
}
