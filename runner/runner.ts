/**
 * The runner: the servers of one config on one engine, behind a gateway. Commands make one and put a
 * tunnel, or nothing, in front of it.
 *
 * @module
 */
import type { Clock } from "../src/clock.ts";
import type { Log } from "../src/log.ts";
import { VERSION } from "../src/version.ts";
import type { Config, ServerConfig } from "./config/config.ts";
import { startContainer } from "./docker/container.ts";
import { connectEngine, type Engine } from "./docker/engine.ts";
import { OWNER_LABEL, SERVER_LABEL, VERSION_LABEL } from "./docker/label.ts";
import { reap } from "./docker/reaper.ts";
import { Gateway } from "./gateway/gateway.ts";
import { ensureImage } from "./image/image.ts";
import { claimOwner, forgetDeadOwners, isAlive } from "./local/owner.ts";
import type { ServerProcess } from "./server/process.ts";
import { Server } from "./server/server.ts";

/** What a runner is made from. */
export interface RunnerOptions {
  readonly config: Config;
  /** The state directory of this machine. */
  readonly home: string;
  readonly env: NodeJS.ProcessEnv;
  readonly clock: Clock;
  readonly log: Log;
  /** Called when what the gateway offers has changed. */
  readonly changed: () => void;
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
  readonly engine: Engine;
  readonly gateway: Gateway;
  readonly servers: ReadonlyMap<string, OwnedServer>;
  /** Stops every server and removes what it had in the engine. */
  stop(): Promise<void>;
}

/**
 * Finds the engine, clears what dead runners left there, and puts the servers together; none is
 * started yet.
 *
 * @throws {GatewayError} `engine_unavailable`.
 */
export async function createRunner(options: RunnerOptions): Promise<Runner> {
  const { config, home, env, clock, log, changed } = options;
  const engine = await connectEngine(env);
  const owner = await claimOwner(home);
  await reapDead(engine, home, log);
  const servers = new Map<string, OwnedServer>();
  for (const server of config.servers) {
    servers.set(server.name, own(server, { engine, owner: owner.id, clock, log, changed }));
  }
  const gateway = new Gateway({
    clock,
    log,
    servers: [...servers.values()].map(({ server, config: { tools } }) => ({
      server,
      rules: tools,
    })),
  });
  return {
    engine,
    gateway,
    servers,
    stop: async () => {
      await gateway.stop();
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

function own(
  config: ServerConfig,
  context: {
    readonly engine: Engine;
    readonly owner: string;
    readonly clock: Clock;
    readonly log: Log;
    readonly changed: () => void;
  },
): OwnedServer {
  const { engine, owner, clock, log, changed } = context;
  let image: string | undefined;
  const launch = async (): Promise<ServerProcess> => {
    const ready = await ensureImage(engine, config.source, (line) => log("info", line));
    image = ready.image;
    const container = await startContainer(engine, {
      image: ready.image,
      command: [...ready.command, ...config.args],
      env: config.env,
      volumes: config.volumes,
      limits: config.limits,
      labels: { [OWNER_LABEL]: owner, [SERVER_LABEL]: config.name, [VERSION_LABEL]: VERSION },
    });
    for (const warning of container.warnings) log("warn", `Server "${config.name}": ${warning}`);
    return container;
  };
  const server = new Server({ name: config.name, launch, clock, log, changed });
  return { server, config, image: () => image };
}
