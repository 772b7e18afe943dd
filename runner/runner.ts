/**
 * The runner: the servers of one config, behind a gateway. Commands make one and put a tunnel, or
 * nothing, in front of it.
 *
 * @module
 */
import { dirname, join } from "node:path";
import type { Clock } from "../src/clock.ts";
import type { ErrorCode } from "../src/errors.ts";
import type { Log } from "../src/log.ts";
import { type Confirm, openApprovals } from "./approval/approvals.ts";
import { type Config, configMachine } from "./config/config.ts";
import { type Applied, Fleet, type OwnedServer } from "./fleet.ts";
import { ChangeNotice } from "./gateway/change-notice.ts";
import { Gateway } from "./gateway/gateway.ts";
import { lockPath, openImageLock } from "./image/lock.ts";
import { inspectionOf, type RunnerStatus } from "./inspection.ts";
import { NO_JOURNAL } from "./journal/journal.ts";
import { openJournal } from "./journal/journal-file.ts";
import { faultyLauncher, launcherOf } from "./launch/launch.ts";
import type { LaunchContext } from "./launch/launcher.ts";
import { EraMemories } from "./local/era-memory.ts";
import { ListMemories } from "./local/list-memory.ts";
import { claimOwner, livesHere } from "./local/owner.ts";
import { ownedEngine } from "./owned-engine.ts";
import { ToolPins } from "./policy/tool-pins.ts";
import { followConfig, type Reload } from "./reload/reload.ts";
import { refuseSecond } from "./running.ts";
import { openSecrets } from "./secrets/open.ts";
import { secretIndexPath } from "./secrets/index-file.ts";
import { createRedactor } from "./secrets/redacting.ts";
import { redactJson } from "./secrets/redact-json.ts";
import { redactLog } from "./secrets/redact-log.ts";
import type { ListKind } from "./server/lists.ts";
import { manageServer } from "./server/managed.ts";
import { StartLimit } from "./server/start-limit.ts";
import { fileStore } from "./task/store.ts";
import { Tasks } from "./task/tasks.ts";
import { Teardown } from "./teardown.ts";
import { openLogins } from "./upstream/oauth/open-logins.ts";
import { wantedServers } from "./wanted.ts";

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
  /** What its tools and prompts are held to. */
  readonly pins: ToolPins;
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

/** Milliseconds until servers whose catalog could not be read are looked up again. */
export const AGAIN_MS = 60_000;

/** Lines that are kept so that they are told once. */
const MAX_TOLD = 1_000;

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
 * @throws {GatewayError} `usage` when another runner serves this config for the same worker;
 * `engine_unavailable`; `store_unavailable` when tasks cannot be kept;
 * `config_invalid` for a lock or a state that cannot be used.
 */
export async function createRunner(options: RunnerOptions): Promise<Runner> {
  const teardown = new Teardown();
  try {
    return await assemble(options, teardown);
  } catch (thrown) {
    await teardown.run().catch(() => {});
    throw thrown;
  }
}

/** What of a runner changes. */
interface State {
  config: Config;
  since?: number;
  runner?: Runner;
  reload?: Reload;
  stopped?: Promise<void>;
}

async function assemble(options: RunnerOptions, teardown: Teardown): Promise<Runner> {
  const { config, home, id, origin, env, clock, changed } = options;
  const redactor = createRedactor({
    onShort: (name) =>
      options.log("warn", `The secret ${name} is so short that it cannot be kept out of logs`),
  });
  const log = redactLog(options.log, redactor);
  const note = once((line) => log("warn", line));
  const stopping = new AbortController();
  const state: State = { config };
  const me = { pid: process.pid, config: config.path, ...(origin !== undefined && { origin }) };
  const owner = await claimOwner(
    home,
    () => JSON.stringify(state.runner?.status() ?? { ...me, since: state.since }),
  );
  const engine = ownedEngine({ env, home, owner: owner.id, log });
  teardown.add(async () => {
    // An owner that ends with its process is found dead, and what it left is removed by the next.
    if (await engine.clear()) await owner.close();
  });
  // Taken when others can see the claim: of two, at least one then sees the other.
  const since = state.since = performance.timeOrigin + performance.now();
  if (origin !== undefined) await refuseSecond({ home, owner: owner.id }, { ...me, origin, since });
  if (config.servers.some(({ source }) => source.kind !== "http")) await engine.find();
  const journal = id === undefined ? NO_JOURNAL : await openJournal({
    home,
    owner: owner.id,
    runner: id,
    clock,
    log,
    redact: (text) => redactor.redact(text),
  });
  teardown.add(() => journal.close());
  const secrets = openSecrets({ home, env, log, redactor });
  const notice = new ChangeNotice<ListKind>(clock, changed);
  teardown.add(() => notice.stop());
  const eras = await EraMemories.open(home, clock);
  teardown.add(() => eras.settled());
  const lists = await ListMemories.open(home, clock, (text) => redactJson(text, redactor));
  teardown.add(() => lists.settled());
  const pins = await ToolPins.open({
    home,
    config: config.path,
    clock,
    log,
    journal,
    redact: (text) => redactJson(text, redactor),
    changed: () => notice.note([]),
  });
  teardown.add(() => pins.settled());
  const starts = new StartLimit(clock);
  const place = { ...configMachine(), directory: dirname(config.path) };
  const context: LaunchContext = {
    engine: engine.find,
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
      signal: stopping.signal,
    }),
    lock: openImageLock(lockPath(config.path), (line) => log("warn", line)),
    logins: openLogins({ home, env, log }),
    get signed() {
      return state.config.signed;
    },
    accept: options.accept ?? false,
  };
  const fleet = new Fleet({
    launcherOf: ({ config: server, fault }) =>
      fault === undefined ? launcherOf(server, context) : faultyLauncher(fault),
    redact: (text) => redactJson(text, redactor),
    pins: (name) => pins.of(name),
    kept: (name, fault) => note(`Server "${name}" goes on as it was: ${fault.message}`),
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
  teardown.add(() => fleet.stop());
  let cancelAgain = (): void => {};
  teardown.add(() => cancelAgain());
  const apply = async (next: Config): Promise<Applied> => {
    const wanted = await wantedServers(next, { home, place, note });
    // It may have been stopped meanwhile: nothing may be started any more.
    if (stopping.signal.aborted) return { started: [], changed: [], removed: [] };
    state.config = next;
    cancelAgain();
    if (wanted.some(({ fault }) => fault !== undefined)) {
      cancelAgain = clock.after(AGAIN_MS, () => void runner.apply(state.config).catch(() => {}));
    }
    return fleet.apply(wanted);
  };
  await apply(config);
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
  teardown.add(() => gateway.stop());
  /** One change at a time, in their order. */
  let turn: Promise<unknown> = Promise.resolve();
  const runner: Runner = {
    gateway,
    pins,
    get servers() {
      return fleet.servers;
    },
    announce: () => notice.flush(),
    apply: (next) => {
      const mine = turn.then(async () => {
        const before = [...fleet.servers.keys()].join();
        const applied = await apply(next);
        const { started, changed: others, removed } = applied;
        // Of two servers that offer the same name, the first has it.
        const moved = before !== [...fleet.servers.keys()].join();
        if (!moved && started.length + others.length + removed.length === 0) return applied;
        gateway.replace(fleet.gatewayServers());
        notice.note([]);
        for (const name of [...started, ...others]) {
          fleet.servers.get(name)?.server.start().catch(() => {});
        }
        return applied;
      });
      turn = mine.catch(() => {});
      return mine;
    },
    retry: () => {
      for (const { server, approve } of fleet.servers.values()) {
        if (server.failure === undefined || !FOR_A_PERSON.has(server.failure.code)) continue;
        const start = () => {
          server.retry();
          return server.start();
        };
        // What is still refused has been told, and is not told again.
        approve(() => {}).then(start).catch(() => {});
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
      ...me,
      since,
      ...(state.reload?.problem !== undefined && { problem: state.reload.problem }),
      servers: [...fleet.servers.values()].map((owned) =>
        inspectionOf(gateway, owned, (text) => redactor.redact(text))
      ),
    }),
    stop: () => {
      state.reload?.stop();
      // Nobody wants to hear of servers that end now.
      notice.stop();
      stopping.abort();
      state.stopped ??= teardown.run();
      return state.stopped;
    },
  };
  state.runner = runner;
  return runner;
}

/** Calls `tell` with each line once, however often it is said. */
function once(tell: (line: string) => void): (line: string) => void {
  const told = new Set<string>();
  return (line) => {
    if (told.has(line)) return;
    if (told.size < MAX_TOLD) told.add(line);
    tell(line);
  };
}
