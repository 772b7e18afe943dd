import { hostname } from "node:os";
import { join } from "node:path";
import type { ServedWorker } from "../../src/embedded-worker.ts";
import { loadConfig } from "../config/config.ts";
import { selectProfile } from "../config/profile.ts";
import { loadCredentials, rememberWorker } from "../local/credentials.ts";
import { serveEmbeddedWorker } from "../local/embedded-worker.ts";
import { openHome } from "../local/home.ts";
import { approver } from "./approving.ts";
import { DEFAULT_CONFIG, readArgs, readArguments, START_OPTIONS, usageError } from "./arguments.ts";
import { clientLines } from "./client-lines.ts";
import { commands } from "./commands.ts";
import { startServing } from "./serving.ts";
import { type Terminal, whenStopped } from "./terminal.ts";
import { tryTool } from "./trial.ts";

/** Port of the worker unless `--port` says otherwise. */
const DEFAULT_PORT = 8787;

const OPTIONS = {
  ...START_OPTIONS,
  port: { type: "string" },
  once: { type: "boolean" },
  try: { type: "string" },
  args: { type: "string" },
} as const;

interface Tokens {
  readonly tunnel: string;
  readonly client: string;
}

/** `up`: a worker on loopback and a runner, in this process. */
export async function up(args: readonly string[], terminal: Terminal): Promise<void> {
  const options = read(args);
  const load = async () => selectProfile(await loadConfig(options.config), options.profile);
  const config = await load();
  const home = await openHome();
  const { runnerId } = await loadCredentials(home);
  const worker = await serveEmbeddedWorker({
    hostname: "127.0.0.1",
    port: options.port,
    storePath: options.once ? ":memory:" : join(home, "worker.db"),
    log: () => {},
    env: terminal.env,
  });
  try {
    const tokens = options.once ? await newTokens(worker) : await keptTokens(worker, home);
    const endpoint = { url: `${worker.origin}/mcp`, token: tokens.client };
    const serving = await startServing({
      config,
      load,
      home,
      runnerId,
      terminal,
      approve: approver(options.yes, terminal),
      dial: { origin: worker.origin, token: tokens.tunnel },
    });
    try {
      await Promise.race([serving.ready, whenStopped(terminal)]);
      if (terminal.stopped.aborted) return;
      const trial = options.call && await tryTool(serving.runner, endpoint, options.call);
      if (options.json) {
        const { url, token } = endpoint;
        const shown = options.once ? {} : { token };
        terminal.out(JSON.stringify({ ok: true, url, ...shown, ...trial }));
      } else {
        if (trial !== undefined) {
          terminal.out(`Called ${trial.tool}: ${JSON.stringify(trial.result)}`);
          terminal.out(`  ${trial.ms.cold} ms cold, ${trial.ms.warm} ms warm\n`);
        }
        terminal.out(`MCP endpoint  ${endpoint.url}`);
        terminal.out(`Token         ${endpoint.token}\n`);
        for (const line of clientLines(endpoint)) terminal.out(line);
      }
      if (options.once) return;
      terminal.note("\nPress Ctrl-C to stop.");
      await Promise.race([serving.ended, whenStopped(terminal)]);
    } finally {
      if (terminal.stopped.aborted) terminal.note("Stopping");
      await serving.stop();
    }
  } finally {
    await worker.close();
  }
}

function read(args: readonly string[]) {
  const { usage } = commands["up"] ?? { usage: "" };
  const { values, positionals } = readArguments(args, OPTIONS, usage);
  if (positionals.length > 0) throw usageError(`up takes no "${positionals[0]}"`, usage);
  const port = Number(values.port ?? DEFAULT_PORT);
  if (!Number.isInteger(port) || port < 0 || port > 65_535) {
    throw usageError(`--port is "${values.port}", it must be 0 to 65535`, usage);
  }
  if (values.args !== undefined && values.try === undefined) {
    throw usageError("--args belongs to --try", usage);
  }
  return {
    port,
    config: values.config ?? DEFAULT_CONFIG,
    profile: values.profile,
    yes: values.yes,
    once: values.once ?? false,
    json: values.json ?? false,
    call: values.try === undefined
      ? undefined
      : { tool: values.try, args: readArgs(values.args ?? "{}") },
  };
}

function newTokens(worker: ServedWorker): Promise<Tokens> {
  return Promise.all([
    worker.createTunnelToken(hostname().slice(0, 64)),
    worker.createClientToken("this machine", ["*"]),
  ]).then(([tunnel, client]) => ({ tunnel, client }));
}

/** The tokens of earlier starts while they are good, so that clients need no new ones. */
async function keptTokens(worker: ServedWorker, home: string): Promise<Tokens> {
  const kept = (await loadCredentials(home)).workers[worker.origin];
  const machine = hostname().slice(0, 64);
  const tunnel = kept !== undefined && await worker.isLive(kept.tunnelToken)
    ? kept.tunnelToken
    : await worker.createTunnelToken(machine);
  const client = kept?.clientToken !== undefined && await worker.isLive(kept.clientToken)
    ? kept.clientToken
    : await worker.createClientToken("this machine", ["*"]);
  if (kept?.tunnelToken !== tunnel || kept.clientToken !== client) {
    await rememberWorker(home, worker.origin, {
      tunnelToken: tunnel,
      clientToken: client,
      tunnel: "default",
      machine,
      joinedAt: new Date().toISOString(),
    });
  }
  return { tunnel, client };
}
