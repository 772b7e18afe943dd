/**
 * `npm run bench`: how fast a 1 KB call is through mcp-runner, beside what its parts cost alone and
 * what others take for the same.
 *
 * (a) the container alone, (b) a bare HTTP → WebSocket → HTTP relay, (c) the whole path, as a client of
 * either era, (d) peers from npm in front of the same server as a plain process. All in one run, in
 * turns. Figures of different runs, or machines, are not to be compared: the ratios are.
 *
 * @module
 */
import { mkdir, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { VERSION } from "../src/version.ts";
import { loadItems, pairedItems, ratioItems } from "./items.ts";
import { LOADS, type Options, readOptions, USAGE } from "./options.ts";
import { type Run, runBench } from "./run.ts";
import { thisMachine } from "./machine.ts";
import { stopSignal } from "./stop-signal.ts";
import { SubjectError } from "./subject/subject.ts";
import { itemTable, loadTables } from "./table.ts";

const RECORD = new URL("../out/bench.json", import.meta.url);

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

async function bench({ json, plan }: Options, signal: AbortSignal): Promise<void> {
  const startedAt = new Date();
  const run = await runBench({ plan, signal, say });
  const compared = ratioItems(run.results, run.cast);
  const fromNothing = [run.cold, ...run.startUps].flatMap(pairedItems);
  const items = [...loadItems(run.results), ...compared, ...fromNothing];
  const outcome = { ok: items.every(({ ok }) => ok), items };
  await mkdir(new URL(".", RECORD), { recursive: true });
  await writeFile(RECORD, `${JSON.stringify(record(startedAt, run, outcome, plan), null, 2)}\n`);
  if (json) console.log(JSON.stringify(outcome));
  else {
    const lines = [
      ...loadTables(run.results),
      ...itemTable("Compared, within each round", compared),
      ...itemTable("From nothing", fromNothing),
      "",
      `Medians (smallest to largest round). All of it: ${fileURLToPath(RECORD)}`,
    ];
    console.log(lines.join("\n"));
  }
  if (!outcome.ok) process.exitCode = 1;
}

/** Everything that was measured, round by round. */
function record(startedAt: Date, run: Run, outcome: object, plan: object): object {
  const { results, cold, startUps } = run;
  const rounds = LOADS.flatMap((inFlight) =>
    [...results[inFlight]].map(([{ name }, each]) => ({ subject: name, inFlight, each }))
  );
  return {
    ...outcome,
    version: VERSION,
    startedAt: startedAt.toISOString(),
    machine: thisMachine(),
    plan,
    rounds,
    pairs: [cold, ...startUps],
  };
}

function report(thrown: unknown, json: boolean): void {
  say(thrown instanceof Error ? thrown.message : String(thrown));
  if (!json) return;
  const name = thrown instanceof SubjectError ? thrown.subject : "benchmark";
  const item = { name, ok: false, value: null, unit: "", bound: null };
  console.log(JSON.stringify({ ok: false, items: [item] }));
}

async function main(args: readonly string[]): Promise<void> {
  let options: Options;
  try {
    options = readOptions(args);
  } catch (error) {
    say(`${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`);
    process.exitCode = 2;
    return;
  }
  if (options.help) {
    console.log(USAGE);
    return;
  }
  const signal = stopSignal(say);
  try {
    await bench(options, signal);
  } catch (error) {
    process.exitCode = signal.aborted ? 130 : 1;
    if (!signal.aborted) report(error, options.json);
  }
}

await main(process.argv.slice(2));
