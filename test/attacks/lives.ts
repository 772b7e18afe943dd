/**
 * Attacks that try to outlive their server, or to take out of it what it was given.
 *
 * @module
 */
import { randomBytes } from "node:crypto";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { formsOf } from "../../runner/secrets/forms.ts";
import { alone, type Attack } from "./attack.ts";
import type { Scene } from "./scene.ts";
import { blocked, contained, failed, round } from "./verdict.ts";

/** Milliseconds from the end of stdin to SIGKILL, with what an engine needs for it. */
const STOP_MS = 8_000;

/** Resolves with the milliseconds until no container of the server is left; NaN if one stays. */
async function gone(scene: Scene, server: string): Promise<number> {
  const startedAt = performance.now();
  while (performance.now() - startedAt < 4 * STOP_MS) {
    if ((await scene.containers(server)).length === 0) return performance.now() - startedAt;
    await sleep(50);
  }
  return Number.NaN;
}

/** Processes of this machine whose arguments have a mark. */
async function processesWith(mark: string): Promise<readonly string[]> {
  const ids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const lines = await Promise.all(
    ids.map((id) => readFile(`/proc/${id}/cmdline`, "utf8").catch(() => "")),
  );
  return lines.filter((line) => line.includes(mark));
}

/** Where the secret of an attack is. */
const SECRET = "attack-secret";

/** In the order in which they run. */
export const LIVES: readonly Attack[] = [
  {
    name: "ignores the end of its input and SIGTERM",
    attackers: (server) => [{ name: server, mode: "stubborn" }],
    run: async (scene, server) => {
      await scene.call(server, "echo");
      await scene.use([]);
      const ms = await gone(scene, server);
      const took = { what: "until it was gone", value: round(ms), unit: "ms", bound: STOP_MS };
      return contained("removed by force", [took]);
    },
  },
  alone("daemons and zombies that it leaves behind", async (scene, server) => {
    const mark = randomBytes(8).toString("hex");
    await scene.call(server, "daemonise", { args: { mark } });
    const before = await processesWith(mark);
    if (before.length === 0) return failed("no process was left, so it was no attack");
    const { error } = await scene.call(server, "vanish");
    if (error?.data?.code !== "server_crashed") return failed(JSON.stringify(error));
    await scene.use([]);
    const ms = await gone(scene, server);
    const after = await processesWith(mark);
    const left = { what: "processes left", value: after.length, unit: "", bound: 0 };
    const took = { what: "until it was gone", value: round(ms), unit: "ms", bound: STOP_MS };
    return contained(`${before.length} processes outlived their parent, none their container`, [
      left,
      took,
    ]);
  }),
  {
    name: "tells its secret: results, stderr",
    attackers: (
      server,
    ) => [{ name: server, settings: { secrets: { TOKEN: `exec:cat ${SECRET}` } } }],
    run: async (scene, server) => {
      const { result } = await scene.call(server, "leak");
      if (result === undefined) return failed("it got no secret");
      await scene.call(server, "vanish");
      const value = await readFile(join(scene.machine.folder, SECRET), "utf8");
      const told = [JSON.stringify(result), scene.runner.output()].join("\n");
      const found = [...formsOf(value)].filter((form) => told.includes(form));
      const marks = told.split("[secret").length - 1;
      if (marks === 0) return failed("it told nothing, so it was no attack");
      return found.length > 0
        ? failed(`${found.length} forms of it were told`)
        : blocked([{ what: "tell its secret", got: `[secret …] ×${marks}` }], [
          `[secret …] ×${marks}`,
        ]);
    },
  },
];

/** Makes what the attacks of this file need. */
export async function prepareLives({ folder }: { readonly folder: string }): Promise<void> {
  await writeFile(join(folder, SECRET), randomBytes(24).toString("base64url"), { mode: 0o600 });
}
