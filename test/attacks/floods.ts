/**
 * Attacks on the runner itself, by what it has to read and to keep. Its memory is looked at from outside.
 *
 * @module
 */
import { setTimeout as sleep } from "node:timers/promises";
import { eventually } from "../support/eventually.ts";
import { postModern } from "../support/mcp.ts";
import { forgetPeak, peakMemory } from "../support/resident-memory.ts";
import { alone, type Attack, startsAgain } from "./attack.ts";
import type { Scene } from "./scene.ts";
import { contained, failed, type Figure, type Finding, round } from "./verdict.ts";

const MIB = 1024 ** 2;

/** What the runner may need more at its worst moment than before, in MiB. */
const GROWTH_MIB = 64;

/** Runs an attack and measures how much the runner grew by it. */
async function measured(
  { runner }: Scene,
  attack: () => Promise<Finding>,
): Promise<Finding> {
  const pid = runner.process.pid ?? 0;
  const before = await forgetPeak(pid);
  const finding = await attack();
  const growth: Figure = {
    what: "growth of the runner",
    value: round((await peakMemory(pid) - before) / MIB),
    unit: "MiB",
    bound: GROWTH_MIB,
  };
  const figures = [...finding.figures, growth];
  return finding.outcome === "FAILED"
    ? failed(finding.evidence, figures)
    : contained(finding.evidence, figures);
}

/** A flood that the server survives, and answers after. */
function survived(name: string, tool: string, mib: number): Attack {
  return alone(name, (scene, server) =>
    measured(scene, async () => {
      const { result, error } = await scene.call(server, tool, { args: { mib } });
      if (result === undefined) return failed(`the call ended with ${JSON.stringify(error)}`);
      const ids = await scene.containers(server);
      const inspected = await Promise.all(
        ids.map((id) => scene.engine.docker.getContainer(id).inspect()),
      );
      const logs = inspected.map(({ LogPath }) => LogPath).filter((path) => path !== "");
      return logs.length > 0
        ? failed(`the engine keeps a log: ${logs.join(", ")}`)
        : contained(`${mib} MiB read and dropped, no log on the disk, and it answers`, []);
    }));
}

/** A flood for which the server is ended; the call says so, and the next one starts it again. */
function ended(name: string, tool: string, mib: number): Attack {
  const attack = alone(name, (scene, server) =>
    measured(scene, async () => {
      const before = await scene.containers(server);
      const { error } = await scene.call(server, tool, { args: { mib } });
      if (error === undefined) return failed("the call was answered");
      return await end(scene, server, before)
        ? contained(`"${error.message}"`, [])
        : failed("its container still runs");
    }));
  return { ...attack, after: startsAgain };
}

/** Milliseconds for a server to be listed, or given up. */
const LISTING_MS = 12_000;

/** A server whose tools are too much: what of them is offered is bounded, and the others go on. */
function unlistable(name: string, mode: string): Attack {
  return {
    name,
    run: (scene, server) =>
      measured(scene, async () => {
        await scene.use([{ name: server, mode, settings: { startTimeout: "10s" } }]);
        const startedAt = performance.now();
        let tools = 0;
        while (tools === 0 && performance.now() - startedAt < LISTING_MS) {
          await sleep(500);
          const answer = await postModern(scene.endpoint, "tools/list");
          tools = (await answer.text()).split(`"${server}__`).length - 1;
        }
        const page = { what: "tools of a page", value: tools, unit: "", bound: MAX_PAGE };
        return contained(tools === 0 ? "it is not listed" : "its tools are listed by pages", [
          page,
        ]);
      }),
  };
}

/** Most tools that a page may have here: somewhat more than what the worker gives out at a time. */
const MAX_PAGE = 20_000;

/** Milliseconds until a server that says nothing has been asked for a sign of life, and ended. */
const GIVEN_UP_MS = 25_000;

/** Resolves with whether one of these containers ends in that time; another one only lists. */
async function end(scene: Scene, server: string, ids: readonly string[]): Promise<boolean> {
  const deadline = performance.now() + GIVEN_UP_MS;
  while (performance.now() < deadline) {
    const left = await scene.containers(server);
    if (ids.some((id) => !left.includes(id))) return true;
    await sleep(200);
  }
  return false;
}

/** Calls that are never answered, of a server that does nothing more. */
function silent(name: string, mode: string, calls: number, bytes: number): Attack {
  return {
    name,
    attackers: (server) => [{ name: server, mode, settings: { timeout: "2s" } }],
    run: (scene, server) =>
      measured(scene, async () => {
        const padding = "x".repeat(bytes);
        const sent = Array.from({ length: calls }, () =>
          scene.call(server, "echo", { args: { padding } }));
        const ids = await eventually("it runs", async () => {
          const found = await scene.containers(server);
          return found.length > 0 ? found : undefined;
        });
        const codes = new Set((await Promise.all(sent)).map(({ error }) =>
          error?.data?.code ?? "ok"
        ));
        const evidence = `calls ended with ${[...codes].join(", ")}`;
        const announced = ["call_timeout", "server_crashed", "overloaded"];
        if (
          [...codes].some((code) =>
            !announced.includes(code)
          )
        ) return failed(evidence);
        return await end(scene, server, ids)
          ? contained(`${evidence}, and its container was removed`, [])
          : failed(`${evidence}, and its container still runs`);
      }),
  };
}

/** In the order in which they run. */
export const FLOODS: readonly Attack[] = [
  survived("100 MiB on stderr", "flood-stderr", 100),
  ended("10 MiB of garbage lines on stdout", "flood-stdout", 10),
  ended("one line of 100 MiB", "long-line", 100),
  unlistable("a list of 100,000 tools", "many"),
  unlistable("a list without end", "endless"),
  unlistable("a description of 100 MiB", "huge"),
  silent("answers nothing", "mute", 4, 10),
  silent("does not read its input", "deaf", 10, MIB),
];
