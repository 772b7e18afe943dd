/**
 * The runner: the servers of one config, behind a gateway. Commands make one and put a tunnel, or
 * nothing, in front of it.
 *
 * @module
 */
import { dirname, join } from "node:path";
import type { Clock } from "../src/clock.ts";
import { type ErrorCode, toGatewayError } from "../src/errors.ts";
import type { Log } from "../src/log.ts";
import { type Confirm, openApprovals } from "./approval/approvals.ts";
import { openCatalogs } from "./catalog/catalogs.ts";
import { expandServer } from "./catalog/expand.ts";
import { type Config, configMachine, type ServerConfig } from "./config/config.ts";
import { connectEngine, type Engine } from "./docker/engine.ts";
import { reap } from "./docker/reaper.ts";
import { type Applied, Fleet, type OwnedServer, type Wanted } from "./fleet.ts";
import { ChangeNotice } from "./gateway/change-notice.ts";
import { Gateway } from "./gateway/gateway.ts";
import { lockPath, openImageLock } from "./image/lock.ts";
import { inspectionOf, type RunnerStatus } from "./inspection.ts";
import { NO_JOURNAL } from "./journal/journal.ts";
import { openJournal } from "./journal/journal-file.ts";
import { faultyLauncher, type LaunchContext, launcherOf } from "./launch.ts";
import { EraMemories } from "./local/era-memory.ts";
import { ListMemories } from "./local/list-memory.ts";
import { claimOwner, forgetDeadOwners, isAlive, livesHere } from "./local/owner.ts";
import { followConfig, type Reload } from "./reload/reload.ts";
import { openSecrets } from "./secrets/open.ts";
import { secretIndexPath, secretVersion } from "./secrets/index-file.ts";
import { createRedactor } from "./secrets/redacting.ts";
import { redactJson } from "./secrets/redact-json.ts";
import { redactLog } from "./secrets/redact-log.ts";
import { storeNames } from "./secrets/store-names.ts";
import type { ListKind } from "./server/lists.ts";
import { manageServer } from "./server/managed.ts";
import { StartLimit } from "./server/start-limit.ts";
import { fileStore } from "./task/store.ts";
import { Tasks } from "./task/tasks.ts";
import { openLogins } from "./upstream/oauth/open-logins.ts";

/** Stands for the id of a runner that no worker knows. */
const LOCAL = "local";

/** What a runner is made from. */
export interface RunnerOptions {
  readonly config: Config;
  /** The state directory of this machine. */
  readonly home: string;
  /** Id under which workers know it; undefined for one that serves a single command, and keeps no tasks. */
  readonly id?: string;
  /** Origin of the worker that it serves. */
  readonly origin?: string;
  readonly env: NodeJS.ProcessEnv;
  readonly clock: Clock;
  readonly log: Log;
  /** Who agrees to how servers are run; nobody unless given. */
  readonly approve?: "yes" | Confirm | undefined;
  /** Whether servers are started even if their lists are remembered: somebody wants to see that they do. */
  readonly fresh?: boolean;
  /** Whether images are pinned anew; see `LaunchContext.accept`. */
  readonly accept?: boolean;
  /** Called when what the gateway offers has changed, with the lists that a server said have. */
  readonly changed: (lists: readonly ListKind[]) => void;
}

/** A runner whose servers can be started. */
export interface Runner {
  readonly gateway: Gateway;
  /** The servers as they are now, by name. */
  readonly servers: ReadonlyMap<string, OwnedServer>;
  /** Calls `changed` now if it has not been called for the latest change; a burst makes it wait. */
  announce(): void;
  /** From now on the servers are those of `config`; what has not changed goes on. */
  apply(config: Config): Promise<Applied>;
  /** Tries again to start servers that wait for a person: for an approval, a secret, a login. */
  retry(): void;
  /** Follows the config while it changes; `load` reads it. */
  follow(load: () => Promise<Config>): Promise<Reload>;
  /** What is known of it and its servers now. */
  status(): RunnerStatus;
  /** Stops every server and removes what it had in the engine. */
  stop(): Promise<void>;
}

/** Failures that end when a person has done something. */
const FOR_A_PERSON: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  "not_approved",
  "image_changed",
  "secret_missing",
  "login_required",
]);

/**
 * Finds the engine if a server needs it, clears what dead runners left there, and puts the servers
 * together; none is started yet.
 *
 * @throws {GatewayError} `engine_unavailable`; `store_unavailable` when tasks cannot be kept;
 * `config_invalid` for a lock or a state that cannot be used.
 */
export async function createRunner(options: RunnerOptions): Promise<Runner> {
  const { config, home, id, origin, env, clock, changed } = options;
  const redactor = createRedactor({
    onShort: (name) =>
      options.log("warn", `The secret ${name} is so short that it cannot be kept out of logs`),
  });
  const log = redactLog(options.log, redactor);
  const state: { reload?: Reload; runner?: Runner } = {};
  const owner = await claimOwner(home, () => JSON.stringify(state.runner?.status() ?? {}));
  const engine = engineOf(env, async (found) => await reapDead(found, home, log));
  if (config.servers.some(({ source }) => source.kind !== "http")) await engine();
  const journal = id === undefined ? NO_JOURNAL : await openJournal({
    home,
    owner: owner.id,
    runner: id,
    clock,
    log,
    redact: (text) => redactor.redact(text),
  });
  const secrets = openSecrets({ home, env, log, redactor });
  const notice = new ChangeNotice<ListKind>(clock, changed);
  const eras = await EraMemories.open(home, clock);
  const lists = await ListMemories.open(home, clock);
  const starts = new StartLimit(clock);
  const place = { ...configMachine(), directory: dirname(config.path) };
  const context: LaunchContext = {
    engine,
    owner: owner.id,
    home,
    env,
    clock,
    log,
    journal,
    redactor,
    place,
    secrets,
    approvals: openApprovals({
      home,
      config: config.path,
      journal,
      by: options.approve,
      show: (line) => log("info", line),
    }),
    lock: openImageLock(lockPath(config.path), (line) => log("warn", line)),
    logins: openLogins({ home, env, log }),
    signed: config.signed,
    accept: options.accept ?? false,
  };
  const fleet = new Fleet({
    launcherOf: ({ config: server, fault }) =>
      fault === undefined ? launcherOf(server, context) : faultyLauncher(fault),
    redact: (text) => redactJson(text, redactor),
    manage: (server, { launch, program, image, probeTimeoutMs }) =>
      manageServer({
        name: server.name,
        launch,
        image,
        life: server.life,
        clock,
        log,
        journal,
        starts,
        changed: (kinds) => notice.note(kinds),
        redact: (text) => redactor.redact(text),
        ...(probeTimeoutMs !== undefined && { probeTimeoutMs }),
        ...(server.source.kind !== "http" && {
          eraMemory: eras.of(program),
          ...(options.fresh !== true && { listMemory: lists.of(program) }),
        }),
      }),
  });
  fleet.apply(await wanted(config, { home, place, log }));
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
    journal,
    ...(tasks !== undefined && { tasks }),
    forOwner: id === undefined,
    servers: fleet.gatewayServers(),
  });
  const runner: Runner = {
    gateway,
    get servers() {
      return fleet.servers;
    },
    announce: () => notice.flush(),
    apply: async (next) => {
      const applied = fleet.apply(await wanted(next, { home, place, log }));
      gateway.replace(fleet.gatewayServers());
      notice.note([]);
      const fresh = [...applied.started, ...applied.changed];
      for (const name of fresh) fleet.servers.get(name)?.server.start().catch(() => {});
      return applied;
    },
    retry: () => {
      for (const { server } of fleet.servers.values()) {
        if (server.failure === undefined || !FOR_A_PERSON.has(server.failure.code)) continue;
        server.retry();
        server.start().catch(() => {});
      }
    },
    follow: async (load) => {
      const { path } = config;
      const secretsPath = secretIndexPath(home);
      const reload = await followConfig({
        runner,
        path,
        load,
        home,
        secretsPath,
        clock,
        log,
        journal,
      });
      state.reload = reload;
      return reload;
    },
    status: () => ({
      pid: process.pid,
      config: config.path,
      ...(origin !== undefined && { origin }),
      ...(state.reload?.problem !== undefined && { problem: state.reload.problem }),
      servers: [...fleet.servers.values()].map((owned) => inspectionOf(gateway, owned)),
    }),
    stop: async () => {
      state.reload?.stop();
      notice.stop();
      await gateway.stop();
      await fleet.stop();
      await eras.settled();
      await lists.settled();
      await journal.close();
      await owner.close();
    },
  };
  state.runner = runner;
  return runner;
}

/** The servers of the config, those of catalogs expanded. */
async function wanted(
  { path, servers, catalogs: places }: Config,
  { home, place, log }: Pick<LaunchContext, "home" | "place" | "log">,
): Promise<readonly Wanted[]> {
  const told = new Set<string>();
  const note = (line: string): void => {
    if (told.has(line)) return;
    told.add(line);
    log("warn", line);
  };
  const catalogs = openCatalogs({ home, places, note });
  return await Promise.all(servers.map(async (server): Promise<Wanted> => {
    try {
      const expanded = await expandServer(server, catalogs, { file: path, volumes: place, note });
      return { config: expanded, secrets: await secretVersions(home, expanded) };
    } catch (thrown) {
      // One entry that cannot be used is no reason to start none of the others.
      return { config: server, secrets: "", fault: toGatewayError(thrown) };
    }
  }));
}

/** Another text when one of the server's secrets in the store has been set anew. */
async function secretVersions(home: string, config: ServerConfig): Promise<string> {
  const names = storeNames(config);
  return JSON.stringify(await Promise.all(names.map((name) => secretVersion(home, name))));
}

/** The engine, found when it is first needed, and looked for again if it was not there. */
function engineOf(
  env: NodeJS.ProcessEnv,
  found: (engine: Engine) => Promise<void>,
): () => Promise<Engine> {
  let connected: Promise<Engine> | undefined;
  return () => {
    connected ??= connectEngine(env).then(async (engine) => {
      await found(engine);
      return engine;
    });
    const mine = connected;
    mine.catch(() => {
      if (connected === mine) connected = undefined;
    });
    return mine;
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
