import type { Clock } from "../src/clock.ts";
import type { Log } from "../src/log.ts";
import { VERSION } from "../src/version.ts";
import type { ServerConfig } from "./config/config.ts";
import { startContainer } from "./docker/container.ts";
import type { Engine } from "./docker/engine.ts";
import { OWNER_LABEL, SERVER_LABEL, VERSION_LABEL } from "./docker/label.ts";
import { ensureImage, type ReadyImage } from "./image/image.ts";
import type { ServerProcess } from "./server/process.ts";
import { launchUpstream } from "./upstream/launch.ts";

/** What servers are launched with. */
export interface LaunchContext {
  /** Present if a server of the config needs it. */
  readonly engine: Engine | undefined;
  /** Id that marks what is made in the engine. */
  readonly owner: string;
  readonly clock: Clock;
  readonly log: Log;
}

/** Starts one server as often as it is needed. */
export interface Launcher {
  /**
   * Starts a process, or connects to what stands for one.
   *
   * @throws {GatewayError} `image_missing`, `engine_unavailable` or `server_failed` with the cause.
   */
  readonly launch: () => Promise<ServerProcess>;
  /** The image that it was started from; undefined until then, and for a server at a URL. */
  readonly image: () => string | undefined;
  /** Says which program it is, by what its image holds and its arguments; undefined like `image`. */
  readonly program: () => string | undefined;
  /** Milliseconds that it has to say that it is modern; the time of a local process unless given. */
  readonly probeTimeoutMs?: number;
}

/** The same for a server at a URL, which may have to be woken first. */
const UPSTREAM_PROBE_MS = 10_000;

/** The launcher for the kind of server that `config` describes. */
export function launcherOf(config: ServerConfig, context: LaunchContext): Launcher {
  const { name, source, headers } = config;
  const { clock, log, engine, owner } = context;
  if (source.kind === "docker" || source.kind === "registry") {
    throw new TypeError("The source of a server was not expanded");
  }
  if (source.kind === "running" || source.kind === "commands") {
    throw new TypeError("Not yet");
  }
  if (source.kind === "http") {
    const { url } = source;
    return {
      launch: () => launchUpstream({ url, headers, clock }),
      image: () => undefined,
      program: () => undefined,
      probeTimeoutMs: UPSTREAM_PROBE_MS,
    };
  }
  let ready: ReadyImage | undefined;
  const launch = async (): Promise<ServerProcess> => {
    if (engine === undefined) throw new TypeError("The runner was made without an engine");
    ready = await ensureImage(engine, source, (line) => log("info", line));
    const container = await startContainer(engine, {
      image: ready.image,
      command: [...ready.command, ...config.args],
      env: config.env,
      volumes: config.volumes,
      limits: config.limits,
      labels: { [OWNER_LABEL]: owner, [SERVER_LABEL]: name, [VERSION_LABEL]: VERSION },
    });
    for (const warning of container.warnings) log("warn", `Server "${name}": ${warning}`);
    return container;
  };
  return {
    launch,
    image: () => ready?.image,
    program: () => ready && JSON.stringify([ready.id, ...config.args]),
  };
}
