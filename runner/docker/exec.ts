/**
 * A server that is started in a container which somebody else runs, and which is never stopped or removed
 * here. Called by runner/launch.ts for servers of the kind `running`.
 *
 *     inspect → runs? → exec with the shim (shim.ts) → attach → secrets → the server takes the shim's place
 *     stop: end of stdin → grace → SIGTERM → SIGKILL, sent by another exec to the server's process group
 *
 * The engine has no call that ends an exec. So the shim tells its process id, which becomes the server's,
 * on the first line of stderr. A signal goes out only while the engine says that the server runs: its id
 * cannot have been given to another process then.
 *
 * @module
 */
import type { Duplex } from "node:stream";
import * as v from "valibot";
import { GatewayError } from "../../src/errors.ts";
import { AttachedContainer } from "./attached.ts";
import { fileExists } from "./archive.ts";
import type { StdioContainer } from "./container.ts";
import type { HandedSecrets } from "./create.ts";
import { isRefusal, QUICK_MS, withDeadline } from "./deadline.ts";
import { dial } from "./dial.ts";
import type { Engine } from "./engine.ts";
import type { ExitWatch, Gone } from "./exit.ts";
import { noWay } from "./hand-over.ts";
import { checkSecrets, handOver, hasSecrets, SHELL, SHIM_WITH_ID } from "./shim.ts";
import { within } from "./within.ts";

/** A server in a container of somebody else. */
export interface ExecSpec {
  /** Name or id of the container, which must run. */
  readonly container: string;
  /** Program and arguments. */
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Variables only: there is no folder for files in a container that is not ours. */
  readonly secrets?: HandedSecrets | undefined;
  /** Longest line that the server may write, in bytes; 16 MiB if absent. */
  readonly maxLineBytes?: number;
}

const containerAnswer = v.object({
  Id: v.string(),
  State: v.object({ Running: v.boolean(), Paused: v.nullish(v.boolean(), false) }),
});
const execCreated = v.object({ Id: v.string() });
const execAnswer = v.object({ Running: v.boolean(), ExitCode: v.nullish(v.number()) });

/** Between two questions whether a server has ended whose output has, in milliseconds. */
const POLL_MS = 100;

const ID_LINE = /^mcp-runner: process (\d{1,10})$/;

/** Sends signal `$1` to the group of process `$2`, or to it alone where it leads none. */
const KILL = `kill -s "$1" -- "-$2" 2>/dev/null || kill -s "$1" "$2"`;

/**
 * Starts a server in a container that runs already.
 *
 * @throws {GatewayError} `server_failed` when there is no such container or it does not run;
 *   `config_invalid`, `engine_unavailable`.
 */
export async function startExec(engine: Engine, spec: ExecSpec): Promise<StdioContainer> {
  const { container, command, env, secrets, maxLineBytes } = spec;
  if (command.length === 0) {
    throw new GatewayError(
      "config_invalid",
      `Cannot start a server in ${quoted(container)}: it has no command`,
    );
  }
  const id = await findRunning(engine, container);
  const shell = await fileExists(engine, { containerId: id, path: SHELL });
  const variables = checkedVariables(container, secrets, shell);
  const exec = await createExec(engine, id, {
    command: shell ? [...SHIM_WITH_ID, ...command] : command,
    // Without a shell they are in the memory of the engine, and its API does not tell them.
    env: shell ? env : { ...env, ...Object.fromEntries(variables) },
  });
  const socket = await attach(engine, exec, container);
  const input = shell ? handOver({ variables, files: new Map(), mayUseEnvironment: false }) : "";
  if (input !== "") socket.write(input);

  const watch = watchExec(engine, exec, socket);
  const server: { process: string | undefined } = { process: undefined };
  let told: () => void = () => {};
  const known = new Promise<void>((resolve) => told = resolve);
  const signal = async (name: "TERM" | "KILL") => {
    if (server.process === undefined || !(await inspectExec(engine, exec)).Running) return;
    await runKill(engine, id, name, server.process);
  };
  const attached = new AttachedContainer({
    id,
    warnings: shell ? [] : [
      `Container ${
        quoted(container)
      } has no ${SHELL}: a server in it that ignores the end of its input cannot be stopped`,
    ],
    socket,
    watch,
    maxLineBytes,
    isOurs: (line) => {
      if (!shell || server.process !== undefined) return false;
      server.process = ID_LINE.exec(line)?.[1];
      told();
      return server.process !== undefined;
    },
    terminate: () => signal("TERM"),
    async remove() {
      await signal("KILL").finally(() => watch.close());
    },
    release: async () => {},
  });
  // Who stops it the next moment must know whom to signal.
  if (shell) await within(QUICK_MS, Promise.race([known, watch.gone]));
  return attached;
}

async function findRunning(engine: Engine, container: string): Promise<string> {
  const failed = (why: string, cause?: unknown) =>
    new GatewayError("server_failed", `Cannot use container ${quoted(container)}: ${why}`, {
      cause,
    });
  const path = `/containers/${encodeURIComponent(container)}/json`;
  try {
    const { Id, State } = v.parse(
      containerAnswer,
      await withDeadline(
        "look at a container",
        QUICK_MS,
        (abortSignal) => dial(engine.docker, { method: "GET", path, abortSignal }),
      ),
    );
    if (State.Paused) throw failed(`it is paused, run "docker unpause ${container}"`);
    if (!State.Running) throw failed(`it does not run, run "docker start ${container}"`);
    return Id;
  } catch (error) {
    if (isRefusal(error, 404)) throw failed("the engine has none of that name, start it", error);
    throw error;
  }
}

function checkedVariables(
  container: string,
  secrets: HandedSecrets | undefined,
  shell: boolean,
): ReadonlyMap<string, string> {
  if (!hasSecrets(secrets)) return new Map();
  checkSecrets(secrets);
  if (secrets.files.size > 0) {
    throw new GatewayError(
      "config_invalid",
      `Cannot hand over files with secrets in container ${
        quoted(container)
      }, which runs already: use secrets, or mount the files where it is started`,
    );
  }
  if (!shell && !secrets.mayUseEnvironment) throw noWay([...secrets.variables.keys()]);
  return secrets.variables;
}

async function createExec(
  engine: Engine,
  containerId: string,
  { command, env }: Pick<ExecSpec, "command" | "env">,
): Promise<string> {
  const body = {
    AttachStdin: true,
    AttachStdout: true,
    AttachStderr: true,
    Tty: false,
    Cmd: [...command],
    Env: Object.entries(env).map(([name, value]) => `${name}=${value}`),
  };
  const path = `/containers/${containerId}/exec`;
  return v.parse(
    execCreated,
    await withDeadline(
      "start a server in a container",
      QUICK_MS,
      (abortSignal) => dial(engine.docker, { method: "POST", path, body, abortSignal }),
    ).catch(refused),
  ).Id;
}

async function attach(engine: Engine, exec: string, container: string): Promise<Duplex> {
  return await withDeadline("start a server in a container", QUICK_MS, async (abortSignal) => {
    const options = { hijack: true, stdin: true, Tty: false, Detach: false, abortSignal };
    return await engine.docker.getExec(exec).start(options);
  }).catch((error: unknown) => refused(error, container));
}

function refused(error: unknown, container = ""): never {
  if (!isRefusal(error)) throw error;
  const where = container === "" ? "the container" : `container ${quoted(container)}`;
  throw new GatewayError("server_failed", `Cannot start a server in ${where}: ${error.reason}`, {
    cause: error,
  });
}

async function inspectExec(engine: Engine, exec: string) {
  return v.parse(
    execAnswer,
    await withDeadline(
      "look at a server in a container",
      QUICK_MS,
      (abortSignal) =>
        dial(engine.docker, { method: "GET", path: `/exec/${exec}/json`, abortSignal }),
    ),
  );
}

/** The engine ends the stream when the server has ended; then it is asked how. */
function watchExec(engine: Engine, exec: string, socket: Duplex): ExitWatch {
  const closing = new AbortController();
  async function watch(): Promise<Gone> {
    await new Promise<void>((resolve) => {
      socket.once("close", () => resolve());
      closing.signal.addEventListener("abort", () => resolve());
    });
    // The engine tells neither of a command in a container.
    const untold = { oomKilled: false, signalled: false };
    const unknown = { ...untold, code: null, ended: false, removed: true };
    try {
      for (;;) {
        const { Running, ExitCode } = await inspectExec(engine, exec);
        if (!Running) return { ...unknown, code: ExitCode ?? null, ended: true };
        if (closing.signal.aborted) return unknown;
        await new Promise((resolve) => setTimeout(resolve, POLL_MS));
      }
    } catch {
      return unknown;
    }
  }
  const gone = watch();
  return { ended: gone, gone, close: () => closing.abort() };
}

async function runKill(engine: Engine, id: string, name: string, process: string): Promise<void> {
  const command = [SHELL, "-c", KILL, "mcp-runner", name, process];
  const exec = await createExec(engine, id, { command, env: {} });
  const path = `/exec/${exec}/start`;
  const body = { Detach: true, Tty: false };
  await withDeadline(
    "stop a server in a container",
    QUICK_MS,
    (abortSignal) => dial(engine.docker, { method: "POST", path, body, abortSignal }),
  );
}

function quoted(text: string): string {
  return JSON.stringify(text);
}
