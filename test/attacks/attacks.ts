/**
 * `npm run attacks`: hostile servers in real containers behind the whole path, docs/attacks.md. Each attack
 * must be blocked or contained, and a control server, called all the while, must answer within twice its
 * idle p99. It ends with code 1 if that does not hold for one of them.
 *
 * @module
 */
import { randomBytes } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { thisMachine } from "../../bench/machine.ts";
import { stopSignal } from "../../bench/stop-signal.ts";
import { VERSION } from "../../src/version.ts";
import { belongingsOf, NOTHING } from "../support/owner.ts";
import { type Options, readOptions, USAGE } from "./options.ts";
import { type Report, table } from "./report.ts";
import { runAttacks } from "./run.ts";
import { startScene } from "./scene.ts";
import { failed } from "./verdict.ts";

const RECORD = new URL("../../out/attacks.json", import.meta.url);

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

/** Runs the chosen attacks on a scene of their own, and looks at the end whether anything is left. */
async function attack({ attacks }: Options, signal: AbortSignal): Promise<readonly Report[]> {
  const stack = new AsyncDisposableStack();
  try {
    const scene = await startScene(stack);
    const mark = randomBytes(4).toString("hex");
    const reports = await runAttacks(scene, attacks, { mark, signal, say });
    const code = await scene.runner.stop("SIGTERM");
    const left = await belongingsOf(scene.engine, scene.owner);
    const clean = code === 0 && JSON.stringify(left) === JSON.stringify(NOTHING);
    const item: Report = {
      name: "nothing is left behind",
      ok: clean,
      value: null,
      unit: "ms",
      bound: null,
      ...(clean
        ? { outcome: "contained", evidence: "no container, network, volume or folder", figures: [] }
        : failed(JSON.stringify({ code, ...left }))),
      calls: 0,
      repeated: false,
      seconds: 0,
    };
    return [...reports, item];
  } finally {
    await stack.disposeAsync();
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
  const startedAt = new Date();
  let reports: readonly Report[] = [];
  try {
    reports = await attack(options, signal);
  } catch (error) {
    if (!signal.aborted) say(error instanceof Error ? error.message : String(error));
  }
  const ok = !signal.aborted && reports.length > 0 && reports.every((it) => it.ok);
  const outcome = { ok, items: reports };
  const machine = thisMachine();
  const record = { ...outcome, version: VERSION, startedAt: startedAt.toISOString(), machine };
  await mkdir(new URL(".", RECORD), { recursive: true });
  await writeFile(RECORD, `${JSON.stringify(record, null, 2)}\n`);
  if (!options.json) console.log(table(reports).join("\n"));
  else console.log(JSON.stringify(outcome));
  process.exitCode = signal.aborted ? 130 : ok ? 0 : 1;
}

await main(process.argv.slice(2));
