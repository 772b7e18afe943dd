/**
 * Carries attacks out, one after the other, beside a control server that is called all the while:
 *
 *     idle calls → attackers come → calls during the attack → attackers go, their containers too → idle calls
 *
 * The idle calls after an attack are those before the next one.
 *
 * @module
 */
import { eventually } from "../support/eventually.ts";
import type { Attack } from "./attack.ts";
import { startControl } from "./control.ts";
import { marked } from "./image.ts";
import { prepareLives } from "./lives.ts";
import { type Report, report } from "./report.ts";
import type { Attacker, Scene } from "./scene.ts";
import { type Calls, type ControlVerdict, failed, type Finding, judgeControl } from "./verdict.ts";

/** How to run attacks. */
export interface RunOptions {
  /** Goes into the names of servers. */
  readonly mark: string;
  readonly signal: AbortSignal;
  readonly say: (line: string) => void;
  /** What attackers are let off, so that a test sees that this is noticed. */
  readonly letOff?: Readonly<Record<string, unknown>>;
}

/** Milliseconds for the containers of an attack to go, once their servers are no longer in the config. */
const GONE_MS = 45_000;

/** Runs attacks in turn; each is reported, whatever happens. */
export async function runAttacks(
  scene: Scene,
  attacks: readonly Attack[],
  options: RunOptions,
): Promise<readonly Report[]> {
  const { signal, say } = options;
  await prepareLives(scene.machine);
  const reports: Report[] = [];
  let before = await startControl(scene.endpoint).stop();
  for (const [at, attack] of attacks.entries()) {
    if (signal.aborted) break;
    const startMs = performance.now();
    let round = await runOnce(scene, attack, { ...options, mark: `${options.mark}-${at}`, before });
    // A machine that others use, too, is slow at times: it has to be slow twice.
    const repeated = round.finding.outcome !== "FAILED" && !round.control.ok;
    if (repeated && !signal.aborted) {
      say(
        `  ${attack.name}: control p99 ${round.control.p99Ms} ms, bound ${round.control.boundMs} ms; once more`,
      );
      const mark = `${options.mark}-${at}-again`;
      round = await runOnce(scene, attack, { ...options, mark, before: round.after });
    }
    before = round.after;
    const seconds = (performance.now() - startMs) / 1000;
    const { finding, control } = round;
    const told = report({ name: attack.name, finding, control, repeated, seconds });
    say(`${told.ok ? "ok    " : "FAILED"} ${attack.name}: ${finding.outcome}, ${finding.evidence}`);
    reports.push(told);
  }
  return reports;
}

/** What one time of an attack came to, and the idle calls after it. */
interface Round {
  readonly finding: Finding;
  readonly control: ControlVerdict;
  readonly after: Calls;
}

async function runOnce(
  scene: Scene,
  attack: Attack,
  { mark, before, letOff = {} }: RunOptions & { readonly before: Calls },
): Promise<Round> {
  const name = marked("attacker", mark);
  const attackers = (attack.attackers?.(name) ?? []).map((attacker): Attacker => ({
    ...attacker,
    settings: { ...attacker.settings, ...letOff },
  }));
  let during: Calls = { ms: [], failures: ["the attack could not begin"] };
  let finding: Finding;
  try {
    if (attackers.length > 0) {
      await scene.use(attackers);
      await scene.listed(name);
      // What listed before is cold: it is to be there before anything is measured.
      if ((attackers[0]?.mode ?? "well") === "well") await scene.call(name, "echo");
    }
    const control = startControl(scene.endpoint);
    try {
      finding = await attack.run(scene, name);
    } finally {
      during = await control.stop();
    }
    const wrong = await attack.after?.(scene, name);
    if (wrong !== undefined) finding = failed(wrong, finding.figures);
  } catch (error) {
    finding = failed(error instanceof Error ? error.message.slice(0, 500) : String(error));
  }
  const left = await clear(scene);
  if (left !== undefined) finding = failed(`${left} (${finding.evidence})`, finding.figures);
  const after = await startControl(scene.endpoint).stop();
  const idle = { ms: [...before.ms, ...after.ms], failures: [] };
  return { finding, control: judgeControl(idle, during), after };
}

/** Takes the attackers out of the config; what stays of them is told. */
async function clear(scene: Scene): Promise<string | undefined> {
  await scene.use([]);
  try {
    await eventually("the containers are gone", async () => {
      const { containers } = await scene.belongings();
      return containers.length <= 2 || undefined; // of the control server
    }, GONE_MS);
    return undefined;
  } catch {
    return "its containers stay after its end";
  }
}
