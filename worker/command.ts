/**
 * The worker file as a program: `node worker.js serve` or `deno run -A worker.js serve`, and `code`
 * for another join code beside a running worker.
 *
 * @module
 */
import { GatewayError } from "../src/errors.ts";
import { jsonLog } from "../src/log.ts";
import { stateDirectory } from "../src/state-path.ts";
import { VERSION } from "../src/version.ts";
import { newJoinCode } from "./access/join-code.ts";
import { announceJoinCode } from "./announce.ts";
import { DEFAULT_TUNNEL } from "./app.ts";
import { createLocalWorker, firstJoinCode, type LocalWorker, serveWorker } from "./local.ts";
import { openSqliteStore } from "./store/node-sqlite.ts";

const HELP = `mcp-runner worker ${VERSION}

  serve   listen for MCP clients and runners
  code    print another join code, beside a running worker

Environment
  HOST, PORT           address to listen on: 127.0.0.1 and 8787 unless set
  MCP_RUNNER_URL       public URL of this worker, when it is not loopback
  MCP_RUNNER_ORIGINS   web origins whose pages may call, divided by commas
  MCP_RUNNER_DATA      file of the store: worker.db in the state directory unless set
  MCP_RUNNER_BODY_MS   time for a body to arrive: 30000 unless set
  On Node only
  MCP_RUNNER_HEADERS_MS    time for the headers of a request to arrive: 10000 unless set
  MCP_RUNNER_MAX_SOCKETS   sockets that one remote address may open: any number unless set
`;

/** Milliseconds after the end of the server in which the runners still hear of it. */
const EXIT_GRACE_MS = 100;

/** The part of Node's and Deno's `process` that the program uses. */
interface Process {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly platform: string;
  readonly stdout: { write(text: string): void };
  readonly stderr: { write(text: string): void };
  exitCode?: number;
  exit(): void;
  on(signal: "SIGINT" | "SIGTERM", listener: () => void): void;
  getBuiltinModule(name: "node:process"): Process;
  getBuiltinModule(name: "node:fs"): {
    mkdirSync(path: string, options: { recursive: boolean; mode: number }): void;
    realpathSync(path: string): string;
  };
  getBuiltinModule(name: "node:url"): { fileURLToPath(url: string): string };
}

const host = (globalThis as unknown as { readonly process: Process }).process;

/** Whether this file is the program that was started, not a module of another. */
export function isProgram(moduleUrl: string): boolean {
  const file = host?.argv?.[1];
  if (file === undefined) return false;
  try {
    const real = host.getBuiltinModule("node:fs").realpathSync(file);
    return real === host.getBuiltinModule("node:url").fileURLToPath(moduleUrl);
  } catch {
    // Started from something that is no file, such as `node -e`.
    return false;
  }
}

/** Runs the command that the arguments name and sets the exit code. */
export async function runCommand(): Promise<void> {
  const command = host.argv[2];
  try {
    if (command === "serve") await serveUntilSignal();
    else if (command === "code") await printCode();
    else {
      host.stdout.write(HELP);
      if (command !== undefined && !command.includes("help")) host.exitCode = 2;
    }
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    host.stderr.write(`mcp-runner worker: ${message}\n`);
    host.exitCode = 1;
  }
}

/** The local worker of `deno serve`, which listens by itself. */
export async function createServedByDeno(): Promise<LocalWorker> {
  const worker = createLocalWorker(localOptions());
  const code = await firstJoinCode(worker);
  const url = host.env["MCP_RUNNER_URL"] ?? "<the URL of this worker>";
  if (code !== undefined) host.stdout.write(`${announceJoinCode(code, url)}\n`);
  return worker;
}

function localOptions(): Parameters<typeof createLocalWorker>[0] {
  return {
    storePath: storePath(),
    env: host.env,
    log: jsonLog((line) => host.stderr.write(`${line}\n`)),
  };
}

async function serveUntilSignal(): Promise<void> {
  const options = localOptions();
  const worker = createLocalWorker(options);
  const served = await serveWorker(worker, {
    hostname: host.env["HOST"] ?? "127.0.0.1",
    port: readPort(host.env["PORT"] ?? "8787"),
  });
  host.stdout.write(`MCP endpoint: ${served.origin}/mcp\n`);
  const code = await firstJoinCode(worker);
  const url = host.env["MCP_RUNNER_URL"] ?? served.origin;
  if (code !== undefined) host.stdout.write(`${announceJoinCode(code, url)}\n`);
  // Calls and bodies that nobody waits for any more have timers, and would keep the process.
  const exit = (): void => void setTimeout(() => host.exit(), EXIT_GRACE_MS);
  const stop = (): void => void served.close().finally(exit);
  host.on("SIGINT", stop);
  host.on("SIGTERM", stop);
}

async function printCode(): Promise<void> {
  const store = openSqliteStore(storePath());
  const code = await newJoinCode(store, { tunnel: DEFAULT_TUNNEL });
  const url = host.env["MCP_RUNNER_URL"] ?? "<the URL of this worker>";
  host.stdout.write(`${announceJoinCode(code, url)}\n`);
  store.close();
}

function storePath(): string {
  const chosen = host.env["MCP_RUNNER_DATA"];
  if (chosen !== undefined && chosen !== "") return chosen;
  const directory = stateDirectory(host.env, host.platform);
  if (directory === undefined) {
    throw new GatewayError("usage", "Cannot place the store: set MCP_RUNNER_DATA to a file");
  }
  host.getBuiltinModule("node:fs").mkdirSync(directory, { recursive: true, mode: 0o700 });
  return `${directory}/worker.db`;
}

function readPort(text: string): number {
  const port = Number(text);
  if (Number.isInteger(port) && port >= 0 && port <= 65_535) return port;
  throw new GatewayError("usage", `Cannot listen: PORT is "${text}", it must be 0 to 65535`);
}
