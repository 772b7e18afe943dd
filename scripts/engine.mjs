/**
 * Finds a Docker engine for a checkout and, on a bare Linux machine, brings one up.
 *
 * Called by scripts/bootstrap.mjs only: the published program never installs or starts anything on
 * the system. The order in which an engine is looked for is that of the docker command line.
 *
 * @module
 */
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, openSync, readFileSync } from "node:fs";
import { request } from "node:http";
import { connect } from "node:net";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { must } from "./run.mjs";

const PING_MS = 3_000;
const START_MS = 30_000;
const PID_FILE = "/var/run/docker.pid";

/**
 * @typedef {object} Endpoint
 * @property {string} host As in DOCKER_HOST.
 * @property {string | undefined} from What names it; absent for a usual place, which may be empty.
 */

/**
 * Where the user's Docker engine should be.
 *
 * @param {NodeJS.ProcessEnv} env
 * @param {string} home
 * @param {NodeJS.Platform} platform
 * @returns {Endpoint[]} One when the user named it, else the usual places.
 * @throws {Error} When a context is chosen that does not exist.
 */
export function endpoints(env, home = homedir(), platform = process.platform) {
  if (env["DOCKER_HOST"]) return [{ host: env["DOCKER_HOST"], from: "DOCKER_HOST" }];
  const config = env["DOCKER_CONFIG"] || join(home, ".docker");
  const context = env["DOCKER_CONTEXT"] || currentContext(config);
  if (context !== undefined && context !== "default") {
    return [{ host: contextHost(config, context), from: `the Docker context "${context}"` }];
  }
  const usual = platform === "win32" ? ["npipe:////./pipe/docker_engine"] : [
    `unix://${join(home, ".docker/run/docker.sock")}`,
    "unix:///var/run/docker.sock",
    ...env["XDG_RUNTIME_DIR"] ? [`unix://${join(env["XDG_RUNTIME_DIR"], "docker.sock")}`] : [],
  ];
  return usual.map((host) => ({ host, from: undefined }));
}

/**
 * @param {string} config
 * @returns {string | undefined}
 */
function currentContext(config) {
  try {
    return JSON.parse(readFileSync(join(config, "config.json"), "utf8")).currentContext;
  } catch {
    return undefined; // no file, or one that the docker command line would complain about
  }
}

/**
 * @param {string} config
 * @param {string} name
 * @returns {string}
 */
function contextHost(config, name) {
  const folder = createHash("sha256").update(name).digest("hex");
  const path = join(config, "contexts/meta", folder, "meta.json");
  try {
    return JSON.parse(readFileSync(path, "utf8")).Endpoints.docker.Host;
  } catch (cause) {
    throw new Error(
      `Cannot use the Docker context "${name}": it does not exist, choose one of "docker context ls"`,
      { cause },
    );
  }
}

/**
 * Asks an engine whether it is there.
 *
 * @param {string} host As in DOCKER_HOST.
 * @returns {Promise<string | undefined>} Why it does not answer; `undefined` when it does.
 */
export async function ping(host) {
  const url = /^(unix|npipe):\/\/(.+)$/.exec(host);
  try {
    if (url?.[2] !== undefined) return await httpPing(url[2]);
    const { protocol, hostname, port } = new URL(host.includes("://") ? host : `tcp://${host}`);
    if (protocol === "ssh:") return "ssh:// is not supported";
    return await tcpPing(hostname, Number(port || 2375));
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/**
 * @param {string} socketPath
 * @returns {Promise<string | undefined>}
 */
function httpPing(socketPath) {
  return new Promise((resolve, reject) => {
    const asking = request({ socketPath, path: "/_ping", timeout: PING_MS }, (response) => {
      response.resume();
      resolve(response.statusCode === 200 ? undefined : `it answers ${response.statusCode}`);
    });
    asking.on("timeout", () => asking.destroy(new Error(`no answer within ${PING_MS} ms`)));
    asking.on("error", reject);
    asking.end();
  });
}

/**
 * A TCP engine may want TLS and certificates, which the product checks; here it must listen.
 *
 * @param {string} host
 * @param {number} port
 * @returns {Promise<undefined>}
 */
function tcpPing(host, port) {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, timeout: PING_MS });
    socket.on("connect", () => {
      socket.destroy();
      resolve(undefined);
    });
    socket.on("timeout", () => socket.destroy(new Error(`no answer within ${PING_MS} ms`)));
    socket.on("error", reject);
  });
}

/**
 * What can be done when no engine answers.
 *
 * @param {object} machine
 * @param {Endpoint[]} machine.tried
 * @param {string[]} machine.reasons Why each of them does not answer.
 * @param {NodeJS.Platform} machine.platform
 * @param {boolean} machine.root
 * @param {boolean} machine.mayInstall False when the user opted out.
 * @param {boolean} machine.dockerd Whether dockerd is installed.
 * @param {boolean} machine.apt
 * @returns {{ do: "install" | "start" } | { do: "give up"; error: string }}
 */
export function plan({ tried, reasons, platform, root, mayInstall, dockerd, apt }) {
  const named = tried.find(({ from }) => from !== undefined);
  if (named !== undefined) {
    return giveUp(
      `Cannot reach the Docker engine at ${named.host}, which ${named.from} names: ${
        reasons[0]
      }; ` +
        "start it, or choose another one",
    );
  }
  const refused = reasons.findIndex((reason) => reason.includes("EACCES"));
  if (refused >= 0) {
    return giveUp(
      `Cannot open ${tried[refused]?.host}: permission denied; join the group that may ` +
        '("sudo usermod -aG docker $USER", then log in again)',
    );
  }
  if (platform !== "linux") {
    return giveUp(
      "Cannot find a Docker engine: install Docker Desktop (https://docs.docker.com/desktop) and start it",
    );
  }
  if (!root) {
    return giveUp(
      "Cannot find a Docker engine: install one and start it " +
        '(Debian and Ubuntu: "sudo apt-get install docker.io"), and join the group "docker"',
    );
  }
  if (!mayInstall) {
    return giveUp(
      "Cannot find a Docker engine, and MCP_RUNNER_NO_INSTALL=1 forbids to bring one up: install " +
        'one ("apt-get install docker.io") and start it ("dockerd")',
    );
  }
  if (dockerd) return { do: "start" };
  if (apt) return { do: "install" };
  return giveUp(
    "Cannot find a Docker engine: install one (https://docs.docker.com/engine/install)",
  );
}

/**
 * @param {string} error
 * @returns {{ do: "give up"; error: string }}
 */
function giveUp(error) {
  return { do: "give up", error };
}

/**
 * Makes sure that a Docker engine answers.
 *
 * @param {(line: string) => void} say
 * @param {NodeJS.ProcessEnv} [env]
 * @throws {Error} That says what to install or to change.
 */
export async function ensureEngine(say, env = process.env) {
  const tried = endpoints(env);
  const reasons = [];
  for (const { host } of tried) {
    const reason = await ping(host);
    if (reason === undefined) return;
    reasons.push(reason);
  }
  const next = plan({
    tried,
    reasons,
    platform: process.platform,
    root: process.getuid?.() === 0,
    mayInstall: env["MCP_RUNNER_NO_INSTALL"] !== "1",
    dockerd: onPath("dockerd", env),
    apt: onPath("apt-get", env),
  });
  if (next.do === "give up") throw new Error(next.error);
  if (next.do === "install") await installEngine(say, env);
  const log = join(
    env["XDG_STATE_HOME"] ?? join(homedir(), ".local/state"),
    "mcp-runner/dockerd.log",
  );
  await startEngine({ host: "unix:///var/run/docker.sock", pidFile: PID_FILE, args: [], log });
  say(`Started dockerd, which stays up (log: ${log}); stop it with: kill $(cat ${PID_FILE})`);
}

/**
 * @param {string} program
 * @param {NodeJS.ProcessEnv} env
 * @returns {boolean}
 */
function onPath(program, env) {
  return (env["PATH"] ?? "").split(delimiter).some((folder) => existsSync(join(folder, program)));
}

/**
 * @param {(line: string) => void} say
 * @param {NodeJS.ProcessEnv} env
 */
async function installEngine(say, env) {
  say(
    "No Docker engine here: installing docker.io with apt-get (opt out: MCP_RUNNER_NO_INSTALL=1)",
  );
  const options = { cwd: "/", env: { ...env, DEBIAN_FRONTEND: "noninteractive" } };
  const wait = ["-o", "DPkg::Lock::Timeout=120"];
  await must("apt-get", [...wait, "update"], options);
  await must(
    "apt-get",
    [...wait, "install", "-y", "--no-install-recommends", "docker.io"],
    options,
  );
}

/**
 * Starts dockerd for good, without a service manager, and waits until it answers.
 *
 * @param {object} engine
 * @param {string} engine.host Where it will listen, as in DOCKER_HOST.
 * @param {string} engine.pidFile
 * @param {readonly string[]} engine.args Further arguments of dockerd.
 * @param {string} engine.log
 * @throws {Error} With the end of its log when it does not answer within 30 s.
 */
export async function startEngine({ host, pidFile, args, log }) {
  if (!/ \/sys\/fs\/cgroup(\/\S*)? cgroup2? /.test(readFileSync("/proc/mounts", "utf8"))) {
    throw new Error(
      "Cannot start dockerd: /sys/fs/cgroup is not mounted; " +
        'run "mount -t cgroup2 cgroup2 /sys/fs/cgroup" (or install and run cgroupfs-mount)',
    );
  }
  mkdirSync(join(log, ".."), { recursive: true, mode: 0o700 });
  const engine = { ended: false };
  // After an installation the system may be starting the engine by itself.
  if (!isRunning(pidFile) && await ping(host) !== undefined) {
    const file = openSync(log, "a", 0o600);
    const child = spawn("dockerd", ["-H", host, ...args], {
      cwd: "/",
      detached: true,
      stdio: ["ignore", file, file],
    });
    const ended = () => {
      engine.ended = true;
    };
    child.on("error", ended).on("exit", ended);
    child.unref();
  }
  const deadline = performance.now() + START_MS;
  while (await ping(host) !== undefined) {
    if (engine.ended || performance.now() > deadline) {
      const end = existsSync(log) ? readFileSync(log, "utf8").trim().split("\n").slice(-5) : [];
      throw new Error(
        [...end, `Cannot start dockerd: it does not answer; its log is ${log}`].join("\n"),
      );
    }
    await sleep(100);
  }
}

/**
 * @param {string} pidFile
 * @returns {boolean}
 */
function isRunning(pidFile) {
  try {
    process.kill(Number(readFileSync(pidFile, "utf8")), 0);
    return true;
  } catch {
    return false; // no such file, or left behind by a process that is gone
  }
}
