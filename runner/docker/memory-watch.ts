/**
 * Ends servers that hang at their memory limit. The kernel kills a process there, but not always soon: some
 * containers have stayed at the limit for many seconds, doing nothing. Called by container.ts.
 *
 *     GET /containers/ID/stats, every 10 s; every 2 s above 80 % of the limit
 *         → 98 % three times in a row → exhausted
 *
 * What the kernel keeps of files and of their names counts towards the limit and is given back when memory
 * is needed, so it is left out.
 *
 * @module
 */
import * as v from "valibot";
import type { Clock } from "../../src/clock.ts";
import { QUICK_MS, withDeadline } from "./deadline.ts";
import { dial } from "./dial.ts";
import type { Engine } from "./engine.ts";

/** Milliseconds between two looks at a server that is far from its limit, and at one that is near. */
const FAR_MS = 10_000;
const NEAR_MS = 2_000;

/** Shares of the limit. */
const NEAR = 0.8;
const FULL = 0.98;

/** Looks in a row that find a server at its limit before it is given up. */
const PATIENCE = 3;

/** What is watched. */
export interface MemoryWatch {
  readonly limitBytes: number;
  readonly clock: Clock;
  /** Bytes in use that nobody else can have; `undefined` once there is nothing to be watched any more. */
  readonly read: () => Promise<number | undefined>;
  /** Called at most once, and then nothing more is read. */
  readonly exhausted: () => void;
}

/** Watches until the returned function is called. */
export function watchMemory({ limitBytes, clock, read, exhausted }: MemoryWatch): () => void {
  let cancel: () => void = () => {};
  let stopped = false;
  let full = 0;
  const look = async () => {
    const bytes = await read();
    if (stopped || bytes === undefined) return;
    const share = bytes / limitBytes;
    full = share >= FULL ? full + 1 : 0;
    if (full >= PATIENCE) return exhausted();
    cancel = clock.after(share >= NEAR ? NEAR_MS : FAR_MS, () => void look());
  };
  cancel = clock.after(NEAR_MS, () => void look());
  return () => {
    stopped = true;
    cancel();
  };
}

const count = v.nullish(v.number(), 0);

/** cgroup v1 counts a container with all its groups in `total_…`, cgroup v2 has no such names. */
const details = v.object({
  total_inactive_file: v.nullish(v.number()),
  total_active_file: v.nullish(v.number()),
  total_inactive_anon: v.nullish(v.number()),
  total_active_anon: v.nullish(v.number()),
  inactive_file: count,
  active_file: count,
  // What the kernel keeps of names and gives back; known of cgroup v2 alone.
  slab_reclaimable: count,
});

const statsAnswer = v.object({
  memory_stats: v.object({
    usage: v.nullish(v.number()),
    stats: v.nullish(details, {}),
  }),
});

/** Least share that processes have of what is used when nothing can be given back, where that is not told. */
const PROCESSES = 0.85;

/** Bytes of an answer of the engine's stats; `undefined` if the container does not run. */
export function memoryInUse(answer: unknown): number | undefined {
  const parsed = v.safeParse(statsAnswer, answer);
  const memory = parsed.success ? parsed.output.memory_stats : undefined;
  if (memory?.usage === undefined || memory.usage === null) return undefined;
  const { total_inactive_anon, total_active_anon, ...stats } = memory.stats;
  const cache = (stats.total_inactive_file ?? stats.inactive_file) +
    (stats.total_active_file ?? stats.active_file);
  const used = memory.usage - cache - stats.slab_reclaimable;
  if (typeof total_inactive_anon !== "number" || typeof total_active_anon !== "number") return used;
  return Math.min(used, (total_inactive_anon + total_active_anon) / PROCESSES);
}

/** Asks the engine what a container uses; `undefined` when it cannot tell. */
export async function readMemory({ docker }: Engine, id: string): Promise<number | undefined> {
  try {
    const answer = await withDeadline(
      "read the memory of a container",
      QUICK_MS,
      (abortSignal) =>
        dial(docker, {
          method: "GET",
          path: `/containers/${id}/stats`,
          query: { stream: "false", "one-shot": "true" },
          abortSignal,
        }),
    );
    return memoryInUse(answer);
  } catch {
    // It has ended, or the engine is gone, which exit.ts sees.
    return undefined;
  }
}
