/**
 * Removes what runners left behind that were killed. Called once at the start of a runner, and by
 * prune.ts.
 *
 *     containers, networks, folders with secrets → by owner (OWNER_LABEL) → owner alive? keep : remove
 *
 * @module
 */
import * as v from "valibot";
import { removeContainer } from "./create.ts";
import { QUICK_MS, unlessRefused, withDeadline } from "./deadline.ts";
import type { Engine } from "./engine.ts";
import { OWNER_LABEL } from "./label.ts";
import { reapSecretFolders } from "./secret-folder.ts";

/** How to tell runners that still run. */
export interface Owners {
  /** Whether the runner with this owner id lives; asked once per owner. When in doubt, true. */
  isAlive(owner: string): Promise<boolean>;
}

/** What was done. */
export interface Reaped {
  readonly containers: number;
  readonly networks: number;
  /** Folders of this machine with secrets. */
  readonly folders: number;
  /** What could not be removed, one line each; the next start tries again. */
  readonly failures: readonly string[];
}

const listAnswer = v.array(v.object({
  Id: v.string(),
  Labels: v.nullish(v.record(v.string(), v.string()), {}),
}));

/**
 * Removes what runners made that live no more. May be called again, and by several runners at once.
 *
 * @throws {GatewayError} `engine_unavailable` when the engine cannot list them.
 */
export async function reap(engine: Engine, owners: Owners): Promise<Reaped> {
  const { docker } = engine;
  const filters = { label: [OWNER_LABEL] };
  const containers = await dead(
    "list containers",
    owners,
    (abortSignal) => docker.listContainers({ all: true, filters, abortSignal }),
  );
  const removedContainers = await removeAll(containers, (id) => removeContainer(engine, id));

  // After the containers, which would hold them.
  const networks = await dead(
    "list networks",
    owners,
    (abortSignal) => docker.listNetworks({ filters, abortSignal }),
  );
  const removedNetworks = await removeAll(
    networks,
    (id) =>
      unlessRefused(
        [404, 409],
        () =>
          withDeadline("remove a network", QUICK_MS, (abortSignal) =>
            docker.getNetwork(id).remove({ abortSignal })),
      ),
  );

  return {
    containers: removedContainers.count,
    networks: removedNetworks.count,
    // Last: no container has them mounted any more.
    folders: await reapSecretFolders((owner) => owners.isAlive(owner)),
    failures: [...removedContainers.failures, ...removedNetworks.failures],
  };
}

async function dead(
  what: string,
  owners: Owners,
  list: (abortSignal: AbortSignal) => Promise<unknown>,
): Promise<readonly string[]> {
  const labelled = v.parse(listAnswer, await withDeadline(what, QUICK_MS, list));
  const alive = new Map<string, Promise<boolean>>();
  const verdicts = await Promise.all(labelled.map(async ({ Id, Labels }) => {
    const owner = Labels[OWNER_LABEL] ?? "";
    const asked = alive.get(owner) ?? owners.isAlive(owner);
    alive.set(owner, asked);
    return await asked ? [] : [Id];
  }));
  return verdicts.flat();
}

async function removeAll(
  ids: readonly string[],
  remove: (id: string) => Promise<void>,
): Promise<{ count: number; failures: string[] }> {
  const results = await Promise.allSettled(ids.map(remove));
  const failures = results.flatMap((result) =>
    result.status === "rejected" ? [String(result.reason)] : []
  );
  return { count: ids.length - failures.length, failures };
}
