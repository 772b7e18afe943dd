/**
 * Removes by hand what no runner is there to remove: what killed runners left, and the volumes that servers
 * keep their data in. Called by `mcp-runner prune`.
 *
 *     reap (reaper.ts) → volumes with VOLUME_LABEL → in a container, or of a living runner? keep : remove
 *
 * @module
 */
import * as v from "valibot";
import { isRefusal, QUICK_MS, withDeadline } from "./deadline.ts";
import { dial } from "./dial.ts";
import type { Engine } from "./engine.ts";
import { VOLUME_LABEL } from "./label.ts";
import { type Owners, reap, type Reaped } from "./reaper.ts";

/** What to remove besides what dead runners left. */
export interface PruneOptions extends Owners {
  /** Whether volumes go too; they hold what servers have written. */
  readonly volumes: boolean;
  /**
   * Whether a living runner may start a container with this volume. Volumes that are in a container now
   * are kept in any case.
   */
  isUsed(volume: string): Promise<boolean>;
}

/** What was done. */
export interface Pruned extends Reaped {
  /** Names of removed volumes. */
  readonly volumes: readonly string[];
  /** Names of volumes that something uses. */
  readonly kept: readonly string[];
}

const volumesAnswer = v.object({
  Volumes: v.nullish(v.array(v.object({ Name: v.string() })), []),
});
/**
 * Removes what is left of dead runners, and, if asked, volumes.
 *
 * @throws {GatewayError} `engine_unavailable`.
 */
export async function prune(
  engine: Engine,
  options: PruneOptions,
): Promise<Pruned> {
  const reaped = await reap(engine, options);
  const removed: string[] = [];
  const kept: string[] = [];
  const failures: string[] = [];
  for (const name of options.volumes ? await ourVolumes(engine) : []) {
    if (await options.isUsed(name)) {
      kept.push(name);
      continue;
    }
    try {
      await withDeadline(
        "remove a volume",
        QUICK_MS,
        (abortSignal) => engine.docker.getVolume(name).remove({ abortSignal }),
      );
      removed.push(name);
    } catch (error) {
      if (isRefusal(error, 404)) continue;
      // A container has it.
      if (isRefusal(error, 409)) kept.push(name);
      else failures.push(String(error));
    }
  }
  return { ...reaped, failures: [...reaped.failures, ...failures], volumes: removed, kept };
}

async function ourVolumes(engine: Engine): Promise<readonly string[]> {
  const query = { filters: JSON.stringify({ label: [VOLUME_LABEL] }) };
  const { Volumes } = v.parse(
    volumesAnswer,
    await withDeadline(
      "list volumes",
      QUICK_MS,
      (abortSignal) => dial(engine.docker, { method: "GET", path: "/volumes", query, abortSignal }),
    ),
  );
  return Volumes.map(({ Name }) => Name).toSorted();
}
