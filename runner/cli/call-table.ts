import { printable } from "../../src/log.ts";
import type { JournalLine } from "../journal/read-line.ts";

/** Titles of the columns, and how wide they are at least. */
const COLUMNS: readonly (readonly [title: string, width: number])[] = [
  ["TIME (UTC)", 23],
  ["MS", 6],
  ["QUEUE+START+SERVER", 18],
  ["CLIENT", 8],
  ["SERVER", 8],
  ["TOOL", 12],
  ["OUTCOME", 10],
  ["MESSAGE", 0],
];

/** Longest text of a column but the last, and of the last, in characters. */
const MAX_WIDTH = 40;
const MAX_MESSAGE = 300;

/** Events as the lines of a table, which may go on. */
export class CallTable {
  #widths: readonly number[] = [];

  /** The lines for these events; before the first ones a line of titles. */
  rows(lines: readonly JournalLine[]): readonly string[] {
    const cells = lines.map(cellsOf);
    const first = this.#widths.length === 0;
    if (first) cells.unshift(COLUMNS.map(([title]) => title));
    // A table that grows stays as wide as its first rows are, unless later ones need more.
    this.#widths = COLUMNS.map(([, width], n) =>
      Math.max(width, this.#widths[n] ?? 0, ...cells.map((row) => row[n]?.length ?? 0))
    );
    return cells.map((row) =>
      row.map((cell, n) => cell.padEnd(n < row.length - 1 ? this.#widths[n] ?? 0 : 0)).join("  ")
        .trimEnd()
    );
  }
}

function cellsOf({ event, time }: JournalLine): readonly string[] {
  const { ms, client = "", server = "", message, code } = event;
  const [total, stages] = typeof ms === "object"
    ? [String(ms.total), `${ms.queue}+${ms.start}+${ms.server}`]
    : [ms === undefined ? "" : String(ms), ""];
  const said = [code, message].filter((text) => text !== undefined).join(": ");
  return [
    new Date(time).toISOString().replace("T", " ").replace("Z", ""),
    total,
    stages,
    ...[client, server, targetOf(event), outcomeOf(event)].map((text) => cut(text, MAX_WIDTH)),
    cut([detailOf(event), said].filter((text) => text !== "").join(" "), MAX_MESSAGE),
  ];
}

/** What only events of some types say. */
function detailOf(event: JournalLine["event"]): string {
  const { type, count = 0, outcome = "", host = "", port, reason = "", approved, by = "" } = event;
  switch (type) {
    case "lost":
      return `${count} events could not be written`;
    case "approval":
      return `${approved === true ? "approved" : "declined"}, ${by}`;
    case "egress_blocked":
      return [
        `${host}${port === undefined ? "" : `:${port}`} ${reason}`,
        ...(count === 1 ? [] : [`${count} times`]),
      ].join(", ");
    case "config":
      return outcome;
    default:
      return "";
  }
}

function targetOf({ method, tool }: JournalLine["event"]): string {
  if (method === undefined || method === "tools/call") return tool ?? method ?? "";
  return tool === undefined ? method : `${method} ${tool}`;
}

function outcomeOf({ type, outcome, denied }: JournalLine["event"]): string {
  if (type === "refusal") return denied === true ? "denied" : "refused";
  return outcome === undefined || type === "config" ? type : outcome;
}

function cut(text: string, length: number): string {
  const line = printable(text);
  return line.length > length ? `${line.slice(0, length - 1)}…` : line;
}
