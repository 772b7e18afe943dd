/**
 * The engine as one runner uses it: found when it is first needed, cleared of what dead runners left, and
 * left without anything of this one.
 *
 * @module
 */
import { toGatewayError } from "../src/errors.ts";
import type { Log } from "../src/log.ts";
import { connectEngine, type Engine } from "./docker/engine.ts";
import { reap } from "./docker/reaper.ts";
import { forgetDeadOwners, isAlive } from "./local/owner.ts";
import { type ReaperProcess, startReaperProcess } from "./reaper-process.ts";

/** The engine of one runner. */
export interface OwnedEngine {
  /**
   * Finds it when it is first needed, and looks for it again if it was not there.
   *
   * @throws {GatewayError} `engine_unavailable`.
   */
  find(): Promise<Engine>;
  /** Removes what the servers of this runner have left, if anything; false if there may still be some. */
  clear(): Promise<boolean>;
}

/** Whose engine it is. */
export interface EngineOwner {
  readonly env: NodeJS.ProcessEnv;
  /** The state directory. */
  readonly home: string;
  /** Id of the owner. */
  readonly owner: string;
  readonly log: Log;
}

/** The engine that `env` names; it is not looked for yet. */
export function ownedEngine({ env, home, owner, log }: EngineOwner): OwnedEngine {
  let connected: Promise<Engine> | undefined;
  let engine: Engine | undefined;
  let reaper: ReaperProcess | undefined;
  const connect = async (): Promise<Engine> => {
    const found = await connectEngine(env);
    // Nothing outlives the first process of a container; whatever restarts the container clears up.
    if (process.pid !== 1) reaper ??= startReaperProcess({ home, env, log });
    await reapDead(found, home, log);
    return engine = found;
  };
  return {
    find: () => {
      const mine = connected ??= connect();
      mine.catch(() => {
        if (connected === mine) connected = undefined;
      });
      return mine;
    },
    clear: async () => {
      if (engine === undefined) return true;
      try {
        const { failures } = await reap(engine, { isAlive: (id) => Promise.resolve(id !== owner) });
        for (const failure of failures) log("warn", failure);
        if (failures.length > 0) return false;
        await reaper?.dismiss();
        return true;
      } catch (thrown) {
        log("warn", `Cannot look for what is left: ${toGatewayError(thrown).message}`);
        return false;
      }
    },
  };
}

/**
 * Removes what dead runners of the state directory left; false if there may still be some.
 *
 * @throws {GatewayError} `engine_unavailable`.
 */
export async function reapDead(engine: Engine, home: string, log: Log): Promise<boolean> {
  const reaped = await reap(engine, { isAlive: (id) => isAlive(home, id) });
  if (reaped.containers + reaped.networks > 0) {
    log("info", `Removed ${reaped.containers} containers that an earlier runner had left`);
  }
  for (const failure of reaped.failures) log("warn", failure);
  if (reaped.failures.length > 0) return false;
  await forgetDeadOwners(home);
  return true;
}
