/**
 * The program of the container image (Dockerfile), which has dist/ beside it. What compose.yaml starts:
 *
 *     serve-worker   the worker, which also listens on a socket in the volume that both share
 *     serve-runner   the runner: joins the worker by itself the first time
 *     health <path>  exit code 0 if the worker answers 200 there
 *     anything else  a command of mcp-runner, as in `docker compose exec runner mcp-runner token ls`
 *
 * A tunnel token may travel in clear text within one machine only. So no network carries it:
 *
 *     runner → 127.0.0.1:8787 in its container → worker.sock → 127.0.0.1:8787 of the worker's container
 *
 * Sharing the worker's network would do the same, but a container that does so loses it when the other
 * restarts, and may not start again after the engine (moby issue 50326).
 *
 * @module
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, statSync, symlinkSync } from "node:fs";
import { connect, createServer } from "node:net";
import { dirname, join } from "node:path";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";

const PORT = 8787;
const ORIGIN = `http://127.0.0.1:${PORT}`;

/** User of everything in the image. */
const USER = 1000;

const ENGINE_SOCKET = "/var/run/docker.sock";

/** Volume of the worker, which the runner has too: it takes its join code from the store there. */
const WORKER_FOLDER = "/var/lib/mcp-runner/worker";
const WORKER_SOCKET = join(WORKER_FOLDER, "worker.sock");

/** Volume of the runner, its state directory. */
const RUNNER_FOLDER = "/var/lib/mcp-runner/runner";

/** Where the folder with the config is mounted, and where it is read: mcp-runner.lock stays beside it. */
const MOUNTED_CONFIG = "/etc/mcp-runner/mcp-runner.yaml";
const CONFIG = join(RUNNER_FOLDER, "config/mcp-runner.yaml");

/** Milliseconds between two looks whether the worker listens. */
const LOOK_MS = 200;

const HEALTH_MS = 5_000;

/**
 * Whatever connects at `from` is connected to `to`. Does not keep the process.
 *
 * @param {import("node:net").ListenOptions} from
 * @param {import("node:net").NetConnectOpts} to
 */
async function forward(from, to) {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    const other = connect({ ...to, allowHalfOpen: true });
    const end = () => (socket.destroy(), other.destroy());
    for (const each of [socket, other]) each.on("error", end);
    socket.pipe(other).pipe(socket);
  });
  // A socket file of an earlier process is refused until it is removed.
  if (from.path !== undefined) rmSync(from.path, { force: true });
  await new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(from, () => resolve(undefined));
  });
  server.unref();
}

/**
 * Root, with nothing but the right to become another user, becomes one who may use the engine: which
 * group its socket has is another on every machine.
 */
function becomeUser() {
  if (process.getuid?.() !== 0) return;
  const engine = statSync(ENGINE_SOCKET, { throwIfNoEntry: false });
  process.setgroups?.(engine === undefined ? [] : [engine.gid]);
  process.setgid?.(USER);
  process.setuid?.(USER);
}

/** The environment of a runner whose only place to write is its volume. */
function useRunnerFolder() {
  const temporary = join(RUNNER_FOLDER, "tmp");
  Object.assign(process.env, {
    HOME: RUNNER_FOLDER,
    MCP_RUNNER_HOME: RUNNER_FOLDER,
    MCP_RUNNER_ENGINE_PATHS: "mounted",
    TMPDIR: temporary,
    npm_config_cache: join(temporary, "npm"),
  });
  for (const folder of [temporary, dirname(CONFIG)]) mkdirSync(folder, { recursive: true });
  process.chdir(dirname(CONFIG));
}

/**
 * Runs a program of dist/ in this process.
 *
 * @param {"worker.js" | "runner.js"} file
 * @param {readonly string[]} args
 */
async function run(file, args) {
  const program = new URL(file, import.meta.url);
  process.argv = [process.execPath, program.pathname, ...args];
  await import(program.href);
}

async function serveWorker() {
  Object.assign(process.env, {
    HOST: "0.0.0.0",
    PORT: String(PORT),
    MCP_RUNNER_HOME: WORKER_FOLDER,
  });
  await forward({ path: WORKER_SOCKET }, { host: "127.0.0.1", port: PORT });
  await run("worker.js", ["serve"]);
}

async function serveRunner() {
  becomeUser();
  // What a runner left that was killed while it installed a package.
  rmSync(join(RUNNER_FOLDER, "tmp"), { recursive: true, force: true });
  useRunnerFolder();
  rmSync(CONFIG, { force: true });
  symlinkSync(MOUNTED_CONFIG, CONFIG);
  await forward({ host: "127.0.0.1", port: PORT }, { path: WORKER_SOCKET });
  const args = ["connect", ORIGIN, "--config", CONFIG, "--yes"];
  if (!hasJoined()) args.push("--code", await joinCode());
  await run("runner.js", args);
}

function hasJoined() {
  try {
    const { workers } = JSON.parse(readFileSync(join(RUNNER_FOLDER, "credentials.json"), "utf8"));
    return workers[ORIGIN] !== undefined;
  } catch {
    // The first start, or a file that the runner itself will complain about.
    return false;
  }
}

/** A new code, once the worker listens. */
async function joinCode() {
  // The first process of a container is ended by no signal that it does not listen to.
  const stop = () => process.exit(0);
  process.once("SIGTERM", stop);
  while (!await isHealthy("/healthz")) await sleep(LOOK_MS);
  process.off("SIGTERM", stop);
  const { stdout, stderr } = spawnSync(
    process.execPath,
    [new URL("worker.js", import.meta.url).pathname, "code"],
    { encoding: "utf8" },
  );
  const [, code] = /--code (\S+)/.exec(stdout) ?? [];
  if (code === undefined) throw new Error(`Cannot get a join code of the worker: ${stderr.trim()}`);
  return code;
}

/** @param {string} path */
async function isHealthy(path) {
  try {
    const { ok } = await fetch(new URL(path, ORIGIN), { signal: AbortSignal.timeout(HEALTH_MS) });
    return ok;
  } catch {
    return false;
  }
}

const [command = "--help", ...rest] = process.argv.slice(2);
switch (command) {
  case "serve-worker":
    await serveWorker();
    break;
  case "serve-runner":
    await serveRunner();
    break;
  case "health":
    process.exitCode = await isHealthy(rest[0] ?? "/healthz") ? 0 : 1;
    break;
  default:
    becomeUser();
    useRunnerFolder();
    await run("runner.js", [command, ...rest]);
}
