/**
 * `calls`: what has been called on this machine, by whom, and how it ended, from the call log of all
 * runners of this user.
 *
 * @module
 */
import { type FSWatcher, watch } from "node:fs";
import { isWanted, type JournalFilter, statuses } from "../journal/filter.ts";
import { journalFolder } from "../journal/folder.ts";
import { JournalReader } from "../journal/journal-reader.ts";
import type { JournalLine } from "../journal/read-line.ts";
import { openHome } from "../local/home.ts";
import { JSON_OPTION, readArguments, usageError } from "./arguments.ts";
import { CallTable } from "./call-table.ts";
import { commands } from "./commands.ts";
import type { Terminal } from "./terminal.ts";

const OPTIONS = {
  ...JSON_OPTION,
  server: { type: "string" },
  tool: { type: "string" },
  client: { type: "string" },
  status: { type: "string" },
  since: { type: "string" },
  limit: { type: "string" },
  follow: { type: "boolean" },
  "all-events": { type: "boolean" },
} as const;

/** Events that are shown unless `--limit` says otherwise, and the most that it may say: they are held. */
const LIMIT = 50;
const MAX_LIMIT = 10_000;

/** Milliseconds between two looks at the files, where the system does not tell of changes. */
const LOOK_MS = 1_000;

const UNITS: Readonly<Record<string, number>> = {
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** `calls [--server …] [--tool …] …`: prints the latest events that are wanted, and with `--follow` the next. */
export async function calls(
  args: readonly string[],
  terminal: Pick<Terminal, "out" | "note" | "stopped">,
): Promise<void> {
  const { usage } = commands["calls"] ?? { usage: "" };
  const { values, positionals } = readArguments(args, OPTIONS, usage);
  if (positionals.length > 0) throw usageError("calls takes options only", usage);
  const filter: JournalFilter = {
    server: values.server,
    tool: values.tool,
    client: values.client,
    status: readStatus(values.status, usage),
    since: readSince(values.since, usage),
    all: values["all-events"],
  };
  const limit = readLimit(values.limit, usage);
  const folder = journalFolder(await openHome());
  const reader = new JournalReader(folder);
  const latest: JournalLine[] = [];
  for await (const bunch of reader.news(filter.since)) {
    for (const line of bunch) if (isWanted(line, filter)) latest.push(line);
    if (latest.length > 2 * limit) latest.splice(0, latest.length - limit);
    if (terminal.stopped.aborted) return;
  }
  const table = new CallTable();
  const print = (lines: readonly JournalLine[]): void => {
    for (const line of values.json ? lines.map(({ text }) => text) : table.rows(lines)) {
      terminal.out(line);
    }
  };
  print(limit === 0 ? [] : latest.slice(-limit));
  let damaged = 0;
  const tellDamaged = (): void => {
    if (reader.damaged > damaged) {
      terminal.note(
        `warning: ${reader.damaged - damaged} damaged lines of the call log were skipped`,
      );
    }
    damaged = reader.damaged;
  };
  tellDamaged();
  if (!values.follow) {
    if (latest.length === 0 && !values.json) terminal.note("The call log has no such line");
    return;
  }
  await eachChange(folder, terminal.stopped, async () => {
    for await (const bunch of reader.news()) {
      const wanted = bunch.filter((line) => isWanted(line, filter));
      if (wanted.length > 0) print(wanted);
    }
    tellDamaged();
  });
}

/** Runs `look` now and whenever something in the folder may have changed, one at a time, until stopped. */
async function eachChange(
  folder: string,
  stopped: AbortSignal,
  look: () => Promise<void>,
): Promise<void> {
  let wake: () => void = () => {};
  const changed = (): void => wake();
  let watcher: FSWatcher | undefined;
  stopped.addEventListener("abort", changed);
  try {
    while (!stopped.aborted) {
      // There is no folder before the first runner has started, and a watcher may end with its folder.
      watcher ??= watchFolder(folder, () => (watcher = undefined, changed()), changed);
      const next = new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, LOOK_MS);
        wake = () => (clearTimeout(timer), resolve());
      });
      // Begun after the wait: what changes during the look is looked at again.
      await look();
      if (!stopped.aborted) await next;
    }
  } finally {
    wake();
    watcher?.close();
  }
}

function watchFolder(
  folder: string,
  ended: () => void,
  changed: () => void,
): FSWatcher | undefined {
  try {
    return watch(folder, changed).on("error", ended);
  } catch {
    return undefined;
  }
}

function readStatus(text: string | undefined, usage: string): string | undefined {
  if (text === undefined || statuses().includes(text)) return text;
  throw usageError(`--status must be one of ${statuses().join(", ")}`, usage);
}

/** Milliseconds since the epoch of `10m` ago, or of an ISO 8601 time. */
function readSince(text: string | undefined, usage: string): number | undefined {
  if (text === undefined) return undefined;
  const [, number, unit = ""] = /^(\d{1,6})([smhd])$/.exec(text) ?? [];
  if (number !== undefined) return Date.now() - Number(number) * (UNITS[unit] ?? 0);
  const time = /^\d{4}-\d\d-\d\d/.test(text) ? Date.parse(text) : NaN;
  if (!Number.isNaN(time)) return time;
  throw usageError("--since must be like 30s, 10m, 2h, 7d or 2026-11-22T10:00:00Z", usage);
}

function readLimit(text: string | undefined, usage: string): number {
  if (text === undefined) return LIMIT;
  const limit = /^\d{1,5}$/.test(text) ? Number(text) : NaN;
  if (limit <= MAX_LIMIT) return limit;
  throw usageError(`--limit must be a whole number of at most ${MAX_LIMIT}`, usage);
}
