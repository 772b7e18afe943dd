import { type Item, METRICS } from "./items.ts";
import type { Results, Rounds } from "./rounds.ts";
import { figure } from "./statistics.ts";

/** Lines of one table per load: a row for each subject, a column for each metric. */
export function loadTables(results: Results): readonly string[] {
  return Object.entries(results).flatMap(([load, subjects]) => {
    const head = [`1 KB echo, ${load} in flight`, ...METRICS.map(([, name]) => name)];
    const rows = [...subjects].map(([{ name }, rounds]) => [`  ${name}`, ...cells(rounds)]);
    return ["", ...aligned([head, ...rows])];
  });
}

/** Lines of a table with a row for each item. */
export function itemTable(title: string, items: readonly Item[]): readonly string[] {
  const rows = items.map(({ name, value, unit, min, max }) => [
    `  ${name}`,
    `${number(value)} ${unit}`,
    `(${number(min)} to ${number(max)})`,
  ]);
  return ["", title, ...aligned(rows)];
}

function cells(rounds: Rounds): readonly string[] {
  return METRICS.map(([metric, , unit]) => {
    const { value, min, max } = figure(rounds.map((round) => round[metric]));
    return `${number(value)} ${unit} (${number(min)} to ${number(max)})`;
  });
}

/** Rows whose columns begin one below the other. */
export function aligned(rows: readonly (readonly string[])[]): readonly string[] {
  const widths: number[] = [];
  for (const row of rows) {
    row.forEach((cell, column) => widths[column] = Math.max(widths[column] ?? 0, cell.length));
  }
  return rows.map((row) =>
    row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("   ").trimEnd()
  );
}

/** Three digits that count, and none after the point of large numbers. */
function number(value: number): string {
  const digits = value >= 100 ? 0 : value >= 10 ? 1 : 2;
  return value.toFixed(digits);
}
