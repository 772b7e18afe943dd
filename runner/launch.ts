/**
 * Starts the processes of one server, whatever its source: what has to be there before a container, in
 * its order.
 *
 *     image → approved? → pinned → secrets → way out → container
 *
 * @module
 */
import type { Clock } from "../src/clock.ts";
import { GatewayError } from "../src/errors.ts";
import type { Log } from "../src/log.ts";
import { VERSION } from "../src/version.ts";
import type { Approvals } from "./approval/approvals.ts";
import { commandsPlan, planOf, runningPlan, upstreamPlan } from "./approval/container-plan.ts";
import { launchCommands } from "./commands-server/launch.ts";
import type { CommandTool } from "./config/command-tool.ts";
import type { ServerConfig, SignatureRule } from "./config/config.ts";
import { runKey } from "./config/run-key.ts";
import type { ConcreteSource, ContainerSource } from "./config/source.ts";
import { sourceText } from "./config/source-text.ts";
import type { VolumePlace } from "./config/volume.ts";
import { startContainer } from "./docker/container.ts";
import type { HandedSecrets } from "./docker/create.ts";
import type { Engine } from "./docker/engine.ts";
import { startExec } from "./docker/exec.ts";
import { inspectImage } from "./docker/inspect.ts";
import { CONFIG_LABEL, OWNER_LABEL, SERVER_LABEL, VERSION_LABEL } from "./docker/label.ts";
import { createEgress, type Egress } from "./egress/egress.ts";
import { ensureImage, type ImageOptions, type ReadyImage } from "./image/image.ts";
import type { ImageLock } from "./image/lock.ts";
import { withTag } from "./image/pull.ts";
import type { Journal } from "./journal/journal.ts";
import type { SecretReference } from "./secrets/reference.ts";
import type { Redactor } from "./secrets/redactor.ts";
import type { Secrets } from "./secrets/secrets.ts";
import type { Launch } from "./server/managed-server.ts";
import { resolveHeaders } from "./upstream/header-secrets.ts";
import { launchUpstream } from "./upstream/launch.ts";
import type { TokenStore } from "./upstream/oauth/token-store.ts";

/** What servers are launched with. */
export interface LaunchContext {
  /** The engine; found when it is first needed. */
  readonly engine: () => Promise<Engine>;
  /** Id that marks what is made in the engine. */
  readonly owner: string;
  /** The state directory. */
  readonly home: string;
  readonly env: NodeJS.ProcessEnv;
  readonly clock: Clock;
  readonly log: Log;
  readonly journal: Journal;
  /** Every value that it gives is known to the redactor. */
  readonly secrets: Secrets;
  readonly redactor: Redactor;
  readonly approvals: Approvals;
  readonly lock: ImageLock;
  /** What host paths of the config are read against. */
  readonly place: VolumePlace;
  /** Where the logins of servers at a URL are kept. */
  readonly logins: TokenStore;
  readonly signed: readonly SignatureRule[];
  /** Whether images are pinned anew, whatever they were before: a person looks at them now. */
  readonly accept: boolean;
}

/** Starts one server as often as it is needed. */
export interface Launcher {
  /**
   * Starts a process, or connects to what stands for one.
   *
   * @throws {GatewayError} why it could not be started.
   */
  readonly launch: Launch;
  /** The image that it was started from; undefined until then, and for a server at a URL. */
  readonly image: () => string | undefined;
  /** Says which program it is and how it is run; undefined while that is not known. */
  readonly program: () => string | undefined;
  /** Milliseconds that it has to say that it is modern; the time of a local process unless given. */
  readonly probeTimeoutMs?: number;
  /**
   * Makes its image ready and asks for the approval, without a start.
   *
   * @throws {GatewayError} as `launch`.
   */
  approve(progress: (line: string) => void): Promise<void>;
  /** Removes what its processes shared; none runs any more. */
  close(): Promise<void>;
}

/** The same for a server at a URL, which may have to be woken first. */
const UPSTREAM_PROBE_MS = 10_000;

/** The launcher for the kind of server that `config` describes. */
export function launcherOf(config: ServerConfig, context: LaunchContext): Launcher {
  const { source } = config;
  switch (source.kind) {
    case "http":
      return upstreamLauncher(config, source, context);
    case "running":
      return runningLauncher(config, source.container, context);
    case "commands":
      return commandsLauncher(config, source.tools, context);
    case "image":
    case "npm":
    case "pypi":
      return containerLauncher(config, source, context);
    case "docker":
    case "registry":
      throw new TypeError("A source of a catalog is expanded before it is launched");
  }
}

/** A launcher that has one answer: why the server cannot be started. */
export function faultyLauncher(fault: GatewayError): Launcher {
  const fail = () => Promise.reject(fault);
  return { ...bare(fail), approve: fail };
}

function containerLauncher(
  config: ServerConfig,
  source: ContainerSource,
  context: LaunchContext,
): Launcher {
  const { lock, approvals, log } = context;
  const { name } = config;
  const reference = sourceText(source);
  const key = runKey(config);
  let ready: ReadyImage | undefined;
  let egress: Egress | undefined;

  const prepare = async (progress: (line: string) => void) => {
    const engine = await context.engine();
    const image = await ensureImage(engine, source, progress, {
      ...imageOptions(config, context),
      // Before it is pinned: what a person refuses must not be what the next start finds.
      check: async (found) => {
        const facts = await inspectImage(engine, found.image);
        if (facts === undefined) throw gone(found.image);
        await approvals.check(await planOf(config, { reference, ready: found, facts }));
      },
    });
    ready = image;
    return { engine, ready: image };
  };
  const launch: Launch = async (progress) => {
    const { engine, ready } = await prepare(progress);
    // After the approval: a reference may name a program of this machine, which is run for its value.
    const secrets = await handedSecrets(config, context);
    if (config.network.length > 0) egress ??= egressOf(config, context, engine);
    const lease = await egress?.lease(progress);
    try {
      const container = await startContainer(engine, {
        image: ready.image,
        command: [...ready.command, ...config.args],
        env: { ...config.env, ...lease?.network.env },
        volumes: config.volumes,
        namedVolumes: config.namedVolumes,
        limits: config.limits,
        isolation: config.isolation,
        user: config.user,
        network: lease?.network,
        secrets,
        labels: labelsOf(config, context.owner),
      });
      for (const warning of container.warnings) log("warn", `Server "${name}": ${warning}`);
      void container.exited.then(() => lease?.release());
      return container;
    } catch (error) {
      lease?.release();
      throw error;
    }
  };
  return {
    launch,
    approve: async (progress) => void await prepare(progress),
    image: () => ready?.name,
    program: () => {
      const digest = ready?.digest ?? pinned(lock, source);
      return digest && JSON.stringify([digest, key]);
    },
    close: async () => {
      await egress?.close();
    },
  };
}

function runningLauncher(
  config: ServerConfig,
  container: string,
  context: LaunchContext,
): Launcher {
  const approve = () => context.approvals.check(runningPlan(config, container));
  const launch: Launch = async () => {
    await approve();
    const secrets = await handedSecrets(config, context);
    const engine = await context.engine();
    return await startExec(engine, { container, command: config.args, env: config.env, secrets });
  };
  return { ...bare(launch), approve };
}

function commandsLauncher(
  config: ServerConfig,
  tools: readonly CommandTool[],
  context: LaunchContext,
): Launcher {
  const { approvals, place } = context;
  let egress: Egress | undefined;
  const prepare = async (reference: string, progress: (line: string) => void) => {
    const engine = await context.engine();
    const source = { kind: "image", reference } as const;
    const ready = await ensureImage(engine, source, progress, {
      ...imageOptions(config, context),
      check: async (found) => {
        const facts = await inspectImage(engine, found.image);
        if (facts === undefined) throw gone(found.image);
        await approvals.check(
          await commandsPlan(config, tools, { reference, ready: found, facts }),
        );
      },
    });
    return ready.image;
  };
  const launch: Launch = async (progress) => {
    const engine = await context.engine();
    if (config.network.length > 0) egress ??= egressOf(config, context, engine);
    const lease = await egress?.lease(progress);
    try {
      const process = await launchCommands({
        config,
        tools,
        engine,
        labels: labelsOf(config, context.owner),
        place,
        network: lease?.network,
        prepareImage: (reference) => prepare(reference, progress),
      });
      void process.exited.then(() => lease?.release());
      return process;
    } catch (error) {
      lease?.release();
      throw error;
    }
  };
  const images = new Set(tools.map(({ image }) => image));
  return {
    ...bare(launch),
    approve: async (progress) => {
      for (const image of images) await prepare(image, progress);
    },
    close: async () => await egress?.close(),
  };
}

function upstreamLauncher(
  config: ServerConfig,
  { url, transport }: Extract<ConcreteSource, { kind: "http" }>,
  context: LaunchContext,
): Launcher {
  const { name, allowPrivate, oauth } = config;
  const { clock, env, logins, redactor, secrets } = context;
  const secret = oauth?.clientSecret;
  // A config that came from somebody else must not send this machine's secrets to them.
  const approve = async () => {
    const plan = upstreamPlan(config);
    if (plan !== undefined) await context.approvals.check(plan);
  };
  const launch: Launch = async () => {
    await approve();
    return await launchUpstream({
      url,
      transport,
      allowPrivate,
      env,
      clock,
      headers: () => resolveHeaders(config, secrets),
      login: {
        server: name,
        store: logins,
        redactor,
        ...(secret !== undefined && { clientSecret: () => secrets.resolve(secret, name) }),
      },
    });
  };
  return { ...bare(launch), approve, probeTimeoutMs: UPSTREAM_PROBE_MS };
}

function imageOptions({ name }: ServerConfig, context: LaunchContext): ImageOptions {
  const { lock, journal, signed, home, accept, log } = context;
  const warn = (line: string) => log("warn", `Server "${name}": ${line}`);
  return { lock, journal, server: name, signed, accept, stateDirectory: home, warn };
}

function bare(launch: Launch): Launcher {
  const nothing = () => Promise.resolve();
  return {
    launch,
    image: () => undefined,
    program: () => undefined,
    approve: nothing,
    close: nothing,
  };
}

async function handedSecrets(
  { name, ...config }: ServerConfig,
  { secrets }: LaunchContext,
): Promise<HandedSecrets | undefined> {
  const resolve = async (references: Readonly<Record<string, SecretReference>>) => {
    const values = new Map<string, string>();
    for (const [variable, reference] of Object.entries(references)) {
      values.set(variable, await secrets.resolve(reference, name));
    }
    return values;
  };
  const variables = await resolve(config.secrets);
  const files = await resolve(config.secretFiles);
  if (variables.size + files.size === 0) return undefined;
  return { variables, files, mayUseEnvironment: config.allowEnvSecrets };
}

function egressOf(config: ServerConfig, context: LaunchContext, engine: Engine): Egress {
  const { name, network, extraHosts } = config;
  const { owner, clock, log, journal } = context;
  return createEgress({
    engine,
    server: name,
    owner,
    targets: network,
    extraHosts,
    clock,
    log,
    blocked: (event) => journal.write(event),
  });
}

function labelsOf(config: ServerConfig, owner: string): Record<string, string> {
  return {
    [OWNER_LABEL]: owner,
    [SERVER_LABEL]: config.name,
    [VERSION_LABEL]: VERSION,
    [CONFIG_LABEL]: runKey(config),
  };
}

/** A lock that somebody has damaged pins nothing that is known before the start, which will say so. */
function pinned(lock: ImageLock, source: ContainerSource): string | undefined {
  try {
    const key = source.kind === "image" ? withTag(source.reference) : sourceText(source);
    return lock.get(key)?.digest;
  } catch {
    return undefined;
  }
}

function gone(image: string): GatewayError {
  return new GatewayError("image_missing", `Cannot use image "${image}": it was removed just now`);
}
