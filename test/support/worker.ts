/**
 * The built worker file, unchanged, on each runtime that it is made for.
 *
 * @module
 */
import { existsSync } from "node:fs";
import { copyFile, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { built, NODE, type Program, ROOT, startProgram } from "./program.ts";
import { startWorkerd } from "./workerd.ts";

/** Ways to run the worker. */
export const RUNTIMES = ["node", "deno run", "deno serve", "workerd"] as const;

/** A way to run the worker. */
export type Runtime = (typeof RUNTIMES)[number];

/** A worker that listens on loopback. */
export interface Worker extends AsyncDisposable {
  readonly origin: string;
  /** The join code that it has printed. */
  readonly joinCode: string;
  readonly pid: number;
  output(): string;
  printed(pattern: RegExp, ms?: number): Promise<RegExpExecArray>;
  stop(): Promise<void>;
}

/** How to start a worker. */
export interface WorkerOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** Folder of the store; a new one, removed at the end, unless given. */
  readonly folder?: string;
  /** A port to listen on; any free one unless given. */
  readonly port?: number;
}

const JOIN_CODE = /Join code ([A-Z]{4}-[A-Z]{4})/;
const DENO = join(ROOT, "node_modules/.bin/deno");

/** Starts the worker on `runtime`; resolves when it listens and has printed its join code. */
export async function startWorker(
  runtime: Runtime,
  options: WorkerOptions = {},
): Promise<Worker> {
  const folder = options.folder ?? await mkdtemp(join(tmpdir(), "mcp-runner-worker-"));
  const again = existsSync(join(folder, "worker.db"));
  const clean = async (): Promise<void> => {
    if (options.folder === undefined) await rm(folder, { recursive: true, force: true });
  };
  const started = runtime === "workerd"
    ? await onWorkerd(folder)
    : await onProgram(runtime, folder, options);
  // A store of an earlier start has its runner already: no code is printed then.
  const code = again ? undefined : await started.printed(JOIN_CODE, 20_000);
  const stop = async (): Promise<void> => {
    await started.stop();
    await clean();
  };
  return {
    origin: started.origin,
    joinCode: code?.[1] ?? "",
    pid: started.pid,
    output: started.output,
    printed: started.printed,
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

type Started = Pick<Worker, "origin" | "pid" | "output" | "printed"> & { stop(): Promise<unknown> };

async function onProgram(
  runtime: Exclude<Runtime, "workerd">,
  folder: string,
  { env, port: wanted }: WorkerOptions,
): Promise<Started> {
  const port = wanted ?? await freePort();
  const file = built("worker.js");
  const commands: Record<typeof runtime, readonly [string, ...string[]]> = {
    node: [NODE, file, "serve"],
    "deno run": [DENO, "run", "-A", file, "serve"],
    "deno serve": [DENO, "serve", "-A", "--host", "127.0.0.1", "--port", String(port), file],
  };
  const [command, ...args] = commands[runtime];
  const program: Program = startProgram(command, args, {
    env: { ...env, PORT: String(port), MCP_RUNNER_DATA: join(folder, "worker.db") },
  });
  const origin = `http://127.0.0.1:${port}`;
  await program.printed(runtime === "deno serve" ? /Listening on/ : /MCP endpoint/, 20_000);
  return {
    origin,
    pid: program.process.pid ?? 0,
    output: program.output,
    printed: program.printed,
    stop: () => program.stop(),
  };
}

async function onWorkerd(folder: string): Promise<Started> {
  const config = join(folder, "worker.capnp");
  // An embedded file must lie below the config.
  await copyFile(built("worker.js"), join(folder, "worker.js"));
  await writeFile(config, WORKERD_CONFIG);
  await mkdir(join(folder, "data"), { recursive: true });
  const workerd = await startWorkerd(config);
  // The platform has no start to print at: the first request makes the worker.
  await (await fetch(`${workerd.url}/healthz`)).text();
  return {
    origin: workerd.url,
    pid: workerd.process.pid ?? 0,
    output: workerd.output,
    printed: workerd.printed,
    stop: workerd.stop,
  };
}

const WORKERD_CONFIG = `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "main", worker = .worker),
    (name = "disk", disk = (path = "data", writable = true)),
  ],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "main")],
);
const worker :Workerd.Worker = (
  modules = [(name = "worker.js", esModule = embed "worker.js")],
  compatibilityDate = "2026-10-01",
  durableObjectNamespaces = [
    (className = "TunnelHome", uniqueKey = "tunnel-home", enableSql = true),
    (className = "AccessStore", uniqueKey = "access-store", enableSql = true),
  ],
  durableObjectStorage = (localDisk = "disk"),
  bindings = [
    (name = "TUNNELS", durableObjectNamespace = "TunnelHome"),
    (name = "STORE", durableObjectNamespace = "AccessStore"),
  ],
);
`;

/** A port that nobody listens on at this moment. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      const port = typeof address === "object" && address !== null ? address.port : 0;
      server.close(() => resolve(port));
    });
  });
}
