import { existsSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { connectEngine } from "../docker/engine.ts";
import { reapDead } from "../owned-engine.ts";
import type { Terminal } from "./terminal.ts";

/**
 * Milliseconds between attempts, the first included: most servers end by themselves when their input does,
 * and a runner that is started again at once clears up itself.
 */
const EACH_MS = 10_000;

/** An engine that is away for longer is found clear or not by the next start. */
const MAX_ATTEMPTS = 30;

/** `reap`, once its runner was killed: removes what dead runners left in the engine. */
export async function reap(_args: readonly string[], terminal: Terminal): Promise<void> {
  const { env, stopped: signal } = terminal;
  const home = env["MCP_RUNNER_HOME"] ?? "";
  for (let attempt = 0; attempt < MAX_ATTEMPTS && !signal.aborted; attempt++) {
    await delay(EACH_MS, undefined, { signal }).catch(() => {});
    // Without the state directory nobody can be told dead; making a new one would be no clearing up.
    if (!existsSync(home)) return;
    // There is nobody to tell; the next start tells what it finds.
    const clear = connectEngine(env).then((engine) => reapDead(engine, home, () => {}));
    if (await clear.catch(() => false)) return;
  }
}
