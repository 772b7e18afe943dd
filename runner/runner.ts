/**
 * The runner: the servers of one config, behind a gateway. Commands make one and put a tunnel, or
 * nothing, in front of it.
 *
 * @module
 */
import { join } from "node:path";
import type { Clock } from "../src/clock.ts";
import type { Log } from "../src/log.ts";
import type { Config, ServerConfig } from "./config/config.ts";
import { connectEngine, type Engine } from "./docker/engine.ts";
import { reap } from "./docker/reaper.ts";
import { ChangeNotice } from "./gateway/change-notice.ts";
import { Gateway } from "./gateway/gateway.ts";
import { launcherOf } from "./launch.ts";
import { EraMemories } from "./local/era-memory.ts";
import { claimOwner, forgetDeadOwners, isAlive, livesHere } from "./local/owner.ts";
import type { ListKind } from "./server/lists.ts";
import { Server } from "./server/server.ts";
import { fileStore } from "./task/store.ts";
import { Tasks } from "./task/tasks.ts";

/** Stands for the id of a runner that no worker knows. */
const LOCAL = "local";

/** What a runner is made from. */
export interface RunnerOptions {
  readonly config: Config;
  /** The state directory of this machine. */
  readonly home: string;
  /** Id under which workers know it; undefined for one that serves a single command, and keeps no tasks. */
  readonly id?: string;
  readonly env: NodeJS.ProcessEnv;
  readonly clock: Clock;
  readonly log: Log;
  /** Called when what the gateway offers has changed, with the lists that a server said have. */
  readonly changed: (lists: readonly ListKind[]) => void;
}

/** A server of a runner, for commands that look at one. */
export interface OwnedServer {
  readonly server: Server;
  readonly config: ServerConfig;
  /** The image that it was started from; undefined until then. */
  readonly image: () => string | undefined;
}

/** A runner whose servers can be started. */
export interface Runner {
  readonly gateway: Gateway;
  readonly servers: ReadonlyMap<string, OwnedServer>;
  /** Calls `changed` now if it has not been called for the latest change; a burst makes it wait. */
  announce(): void;
  /** Stops every server and removes what it had in the engine. */
  stop(): Promise<void>;
}

/**
 * Finds the engine if a server needs it, clears what dead runners left there, and puts the servers
 * together; none is started yet.
 *
 * @throws {GatewayError} `engine_unavailable`; `store_unavailable` when tasks cannot be kept.
 */
export async function createRunner(options: RunnerOptions): Promise<Runner> {
  const { config, home, id, env, clock, log, changed } = options;
  const contained = config.servers.some(({ source }) => source.kind !== "http");
  const engine = contained ? await connectEngine(env) : undefined;
  const owner = await claimOwner(home);
  if (engine !== undefined) await reapDead(engine, home, log);
  const notice = new ChangeNotice<ListKind>(clock, changed);
  const eras = await EraMemories.open(home, clock);
  const servers = new Map<string, OwnedServer>();
  for (const server of config.servers) {
    const launcher = launcherOf(server, { engine, owner: owner.id, clock, log });
    const { launch, image, program, probeTimeoutMs } = launcher;
    servers.set(server.name, {
      config: server,
      image,
      server: new Server({
        name: server.name,
        launch,
        clock,
        log,
        changed: (lists) => notice.note(lists),
        ...(probeTimeoutMs !== undefined && { probeTimeoutMs }),
        ...(server.source.kind !== "http" && { eraMemory: eras.of(program) }),
      }),
    });
  }
  const tasks = id === undefined ? undefined : await Tasks.open({
    store: fileStore(join(home, "tasks")),
    runner: id,
    owner: owner.id,
    isAlive: (other) => livesHere(home, other),
    clock,
    log,
  });
  const gateway = new Gateway({
    runner: id ?? LOCAL,
    clock,
    log,
    ...(tasks !== undefined && { tasks }),
    servers: [...servers.values()].map(({ server, config: of }) => ({
      server,
      prefix: of.prefix,
      rules: of,
      tasks: of.tasks,
      transport: of.source.kind === "http" ? "http" : "stdio",
    })),
  });
  return {
    gateway,
    servers,
    announce: () => notice.flush(),
    stop: async () => {
      notice.stop();
      await gateway.stop();
      await eras.settled();
      await owner.close();
    },
  };
}

async function reapDead(engine: Engine, home: string, log: Log): Promise<void> {
  const reaped = await reap(engine, { isAlive: (id) => isAlive(home, id) });
  if (reaped.containers + reaped.networks > 0) {
    log("info", `Removed ${reaped.containers} containers that an earlier runner had left`);
  }
  for (const failure of reaped.failures) log("warn", failure);
  if (reaped.failures.length === 0) await forgetDeadOwners(home);
}
