import { hostname } from "node:os";
import { joinResponse } from "../../src/access-api.ts";
import { GatewayError } from "../../src/errors.ts";
import { askWorker } from "../client/worker-api.ts";
import { loadConfig } from "../config/config.ts";
import { selectProfile } from "../config/profile.ts";
import { loadCredentials, rememberWorker } from "../local/credentials.ts";
import { openHome } from "../local/home.ts";
import { approver } from "./approving.ts";
import { DEFAULT_CONFIG, readArguments, START_OPTIONS, usageError } from "./arguments.ts";
import { commands } from "./commands.ts";
import { startServing } from "./serving.ts";
import { type Terminal, whenStopped } from "./terminal.ts";
import { chooseWorker } from "./worker-url.ts";

const OPTIONS = { ...START_OPTIONS, code: { type: "string" } } as const;

/** `connect`: a runner for a worker elsewhere; joins it first if this machine has not. */
export async function connect(args: readonly string[], terminal: Terminal): Promise<void> {
  const { usage } = commands["connect"] ?? { usage: "" };
  const { values, positionals: [url, ...rest] } = readArguments(args, OPTIONS, usage);
  if (rest.length > 0) throw usageError(`connect takes one URL, not also "${rest[0]}"`, usage);
  const load = async () =>
    selectProfile(await loadConfig(values.config ?? DEFAULT_CONFIG), values.profile);
  const config = await load();
  const home = await openHome();
  const credentials = await loadCredentials(home);
  const origin = chooseWorker(url, credentials);
  const known = values.code === undefined ? credentials.workers[origin]?.tunnelToken : undefined;
  const token = known ?? await join(home, origin, values.code, terminal);
  const serving = await startServing({
    config,
    load,
    home,
    runnerId: credentials.runnerId,
    dial: { origin, token },
    terminal,
    approve: approver(values.yes, terminal),
  });
  try {
    await Promise.race([
      serving.ready.then(() => ready(terminal, origin, values.json ?? false)),
      whenStopped(terminal),
    ]);
    if (!terminal.stopped.aborted) await Promise.race([serving.ended, whenStopped(terminal)]);
  } finally {
    if (terminal.stopped.aborted) terminal.note("Stopping");
    await serving.stop();
  }
}

function ready(terminal: Terminal, origin: string, json: boolean): void {
  const url = `${origin}/mcp`;
  if (json) terminal.out(JSON.stringify({ ok: true, url }));
  terminal.note(
    `Ready: clients use ${url} with a token of "mcp-runner token create". Ctrl-C stops.`,
  );
}

/** Exchanges a join code for this machine's tunnel token and keeps that. */
async function join(
  home: string,
  origin: string,
  given: string | undefined,
  terminal: Terminal,
): Promise<string> {
  if (given === undefined && !terminal.interactive) {
    throw new GatewayError(
      "usage",
      `This machine has not joined ${origin}: give its join code with --code`,
    );
  }
  const code = given ?? await terminal.ask(`Join code of ${origin}: `);
  const machine = hostname().slice(0, 64);
  const { token, tunnel } = await askWorker({
    method: "POST",
    origin,
    path: "/join",
    body: { code, machine },
    answer: joinResponse,
  });
  await rememberWorker(home, origin, {
    tunnelToken: token,
    tunnel,
    machine,
    joinedAt: new Date().toISOString(),
  });
  terminal.note(`Joined ${origin} as "${machine}"`);
  return token;
}
