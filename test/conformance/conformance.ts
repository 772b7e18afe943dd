/**
 * `npm run conformance`: the official conformance suite against the whole path, docs/mcp.md. Sets of
 * scenarios run one after the other, each on a path of its own. It ends with code 1 for a scenario that does
 * not pass and is not in expected-failures.yml, and for one that is there and passes: the list only shrinks.
 *
 * @module
 */
import { readFile } from "node:fs/promises";
import { type ExpectedFailures, expectedFor, parseExpectedFailures } from "./expected-failures.ts";
import { stopSignal } from "../../bench/stop-signal.ts";
import { type Options, readOptions, USAGE } from "./options.ts";
import { startPath } from "./path.ts";
import { failedReport, type Report, report, table } from "./report.ts";
import { readResults } from "./results.ts";
import type { ScenarioSet } from "./sets.ts";
import { runSuite } from "./suite.ts";
import { judge } from "./verdict.ts";

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

/** Rejects when `signal` aborts, for what does not listen to it; what it started is disposed of later. */
function unlessStopped<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const stopped = new Promise<never>((_, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true });
  });
  return Promise.race([work, stopped]);
}

interface Run {
  readonly options: Options;
  readonly expected: ExpectedFailures;
  readonly signal: AbortSignal;
}

async function runSet(set: ScenarioSet, { options, expected, signal }: Run): Promise<Report> {
  const startMs = performance.now();
  const seconds = () => Math.round((performance.now() - startMs) / 1000);
  say(`${set.name}: ${set.claim}`);
  const stack = new AsyncDisposableStack();
  const starting = startPath(stack, { build: set.build, runtime: options.runtime });
  try {
    const url = await unlessStopped(starting, signal);
    const results = await readResults(await runSuite(set, { url, signal }));
    const known = expectedFor(expected, set, options.runtime);
    const verdict = judge(results, { scenarios: set.scenarios, expected: known });
    for (const fault of verdict.faults) say(`  ${fault}`);
    return report(set, verdict, seconds());
  } catch (error) {
    if (!signal.aborted) say(`  ${error instanceof Error ? error.message : String(error)}`);
    return failedReport(set, seconds());
  } finally {
    await stack.disposeAsync();
    await starting.catch(() => {}); // told above, or it was stopped
  }
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
  if (options.help) return console.log(USAGE);
  const signal = stopSignal(say);
  const list = new URL("expected-failures.yml", import.meta.url);
  const expected = parseExpectedFailures(await readFile(list, "utf8"));
  const reports: Report[] = [];
  for (const set of options.sets) {
    if (!signal.aborted) reports.push(await runSet(set, { options, expected, signal }));
  }
  const ok = !signal.aborted && reports.length > 0 && reports.every((it) => it.ok);
  if (!options.json) console.log(table(reports).join("\n"));
  else console.log(JSON.stringify({ ok, items: reports }));
  process.exitCode = signal.aborted ? 130 : ok ? 0 : 1;
}

await main(process.argv.slice(2));
