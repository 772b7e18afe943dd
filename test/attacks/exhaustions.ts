/**
 * Attacks that take as much as they can get. They may have what the config gives them, and what they took
 * is looked at from outside.
 *
 * @module
 */
import { setTimeout as sleep } from "node:timers/promises";
import * as v from "valibot";
import { dial } from "../../runner/docker/dial.ts";
import { alone, type Attack, startsAgain } from "./attack.ts";
import { readUsage, type Usage } from "./cgroup.ts";
import type { Scene } from "./scene.ts";
import { contained, failed, type Figure, round } from "./verdict.ts";

const MIB = 1024 ** 2;

/** Milliseconds between two looks from outside. */
const LOOK_MS = 20;

/** What was seen of an attacker from outside while it attacked. */
interface Seen {
  readonly pids: number;
  readonly memoryMib: number;
  /** Processors that it used on average, between the first and the last look. */
  readonly cpus: number;
}

/** Looks at a server from outside until `attack` has ended. */
async function watched<T>(
  scene: Scene,
  server: string,
  attack: () => Promise<T>,
): Promise<{ readonly result: T; readonly seen: Seen }> {
  const looks = new Map<number, Usage[]>();
  for (const pid of await scene.processes(server)) looks.set(pid, []);
  const over = { yes: false };
  const result = attack().finally(() => over.yes = true);
  result.catch(() => {}); // thrown below
  while (!over.yes) {
    for (const [pid, seen] of looks) {
      const usage = await readUsage(pid);
      if (usage !== undefined) seen.push(usage);
    }
    await sleep(LOOK_MS);
  }
  const all = [...looks.values()];
  const cpus = all.map((own) => {
    const [first, last] = [own[0], own.at(-1)];
    if (first === undefined || last === undefined || first === last) return 0;
    return (last.cpuMs - first.cpuMs) / (last.atMs - first.atMs);
  });
  const most = (values: readonly number[]) => Math.max(0, ...values);
  const seen = {
    pids: most(all.flat().map(({ pids }) => pids)),
    memoryMib: round(most(all.flat().map(({ memoryBytes }) => memoryBytes)) / MIB),
    cpus: round(most(cpus)),
  };
  return { result: await result, seen };
}

/** Bytes that a container has written to the disk of the engine. */
async function writtenBytes({ engine: { docker } }: Scene, id: string): Promise<number> {
  const answer = await dial(docker, {
    method: "GET",
    path: `/containers/${id}/json`,
    query: { size: "true" },
    abortSignal: AbortSignal.timeout(30_000),
  });
  return v.parse(v.object({ SizeRw: v.number() }), answer).SizeRw;
}

/** Takes memory in steps until it is ended for it. */
function memoryHog(name: string, stepMib: number, everyMs: number): Attack {
  const limitMib = 128;
  const attack = alone(name, async (scene, server) => {
    const strike = { args: { stepMib, everyMs } };
    const { result: { error }, seen } = await watched(
      scene,
      server,
      () => scene.call(server, "hog-memory", strike),
    );
    const memory: Figure = {
      what: "memory, from outside",
      value: seen.memoryMib,
      unit: "MiB",
      bound: limitMib,
    };
    if (seen.memoryMib < 100) return failed("it took too little to be an attack", [memory]);
    if (!/ran out of memory \(limit 128m\)/.test(error?.message ?? "")) {
      return failed(`the call ended with ${JSON.stringify(error)}`, [memory]);
    }
    return contained(`ended at its limit, and the call says so`, [
      memory,
    ]);
  }, { limits: { memory: `${limitMib}m` } });
  return { ...attack, after: startsAgain };
}

/** In the order in which they run. */
export const EXHAUSTIONS: readonly Attack[] = [
  alone("fork bomb", async (scene, server) => {
    const { result, seen } = await watched(
      scene,
      server,
      () => scene.attempts(server, "fork-bomb"),
    );
    const [got] = result.map(({ got }) => got);
    const processes = { what: "processes, from outside", value: seen.pids, unit: "", bound: 128 };
    if (got !== "EAGAIN" || seen.pids < 100) {
      return failed(`it saw ${got}, and had ${seen.pids} processes`, [processes]);
    }
    return contained(`fork: ${got}, and it answers afterwards`, [processes]);
  }),
  memoryHog("memory, all at once", 16, 0),
  memoryHog("memory, little by little", 2, 30),
  alone("disk fill: /tmp, /dev/shm, /", async (scene, server) => {
    const folders = ["/tmp", "/dev/shm", "/", "/usr"];
    const tried = await scene.attempts(server, "fill-disk", { args: { folders } });
    const sizes = await Promise.all(
      (await scene.containers(server)).map((id) => writtenBytes(scene, id)),
    );
    const disk = {
      what: "disk of the engine",
      value: round(Math.max(...sizes) / MIB),
      unit: "MiB",
      bound: 0.1,
    };
    const held = [/^ENOSPC after 6\d MiB$/, /^ENOSPC after 1\d MiB$/, /^EROFS after 0 MiB$/];
    const wrong = tried.filter(({ got }) => !held.some((pattern) => pattern.test(got)));
    const evidence = tried.map(({ what, got }) => `${what}: ${got}`).join(", ");
    return wrong.length > 0 ? failed(evidence, [disk]) : contained(evidence, [disk]);
  }),
  alone("open files", async (scene, server) => {
    const [tried] = await scene.attempts(server, "open-files");
    const [, code, count] = /^(\w+) after (\d+)$/.exec(tried?.got ?? "") ?? [];
    const files = { what: "open files", value: Number(count), unit: "", bound: 4096 };
    return code === "EMFILE" ? contained(code, [files]) : failed(tried?.got ?? "nothing", [files]);
  }),
  alone("processor: 4 busy processes", async (scene, server) => {
    const { seen } = await watched(scene, server, () => scene.attempts(server, "spin"));
    if (seen.cpus < 0.5) return failed(`it used ${seen.cpus} processors, so it was no attack`);
    // A period of the scheduler lies over an edge of what was looked at.
    const used = { what: "processors, from outside", value: seen.cpus, unit: "", bound: 1.1 };
    return contained("limit 1", [used]);
  }),
];
