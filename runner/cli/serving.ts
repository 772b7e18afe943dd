/**
 * What `up` and `connect` do alike: start the servers, keep the tunnel, and end in good order.
 *
 * @module
 */
import { hostname } from "node:os";
import { systemClock } from "../../src/clock.ts";
import { type Log, printable } from "../../src/log.ts";
import { VERSION } from "../../src/version.ts";
import type { Config } from "../config/config.ts";
import { MAX_CALLS } from "../gateway/limits.ts";
import { createRunner, type Runner, type RunnerOptions } from "../runner.ts";
import type { Dial } from "../tunnel/socket.ts";
import { Tunnel } from "../tunnel/tunnel.ts";
import { humanLog, type Terminal } from "./terminal.ts";
import { warnOfPower } from "./power.ts";

/** Milliseconds that calls in flight get to end after a stop was asked for. */
const DRAIN_MS = 10_000;

/** Milliseconds of rest after which changes of what servers offer are told: they list in several steps. */
const REPORT_MS = 1_000;

/** What is served, and where to. */
export interface ServingOptions {
  readonly config: Config;
  /** Reads the config as it is now. */
  readonly load: () => Promise<Config>;
  readonly home: string;
  readonly runnerId: string;
  readonly dial: Dial;
  readonly terminal: Terminal;
  /** Who agrees to how servers are run. */
  readonly approve: RunnerOptions["approve"];
}

/** Servers behind an open tunnel. */
export interface Serving {
  readonly runner: Runner;
  /** Resolves once every server has started or failed and the worker has welcomed the runner. */
  readonly ready: Promise<void>;
  /** Rejects when the worker ends the tunnel for good. */
  readonly ended: Promise<void>;
  /** Lets the calls in flight end, then stops everything. */
  stop(): Promise<void>;
}

/**
 * Starts serving.
 *
 * @throws {GatewayError} `usage` when another runner serves this config for the same worker.
 */
export async function startServing(options: ServingOptions): Promise<Serving> {
  const { config, load, home, runnerId, dial, terminal, approve } = options;
  const log = humanLog(terminal);
  warnOfPower(log);
  let cancelReport: () => void = () => {};
  const offering: { tunnel?: Tunnel; report?: () => void } = {};
  const runner = await createRunner({
    config,
    home,
    id: runnerId,
    origin: dial.origin,
    env: terminal.env,
    clock: systemClock,
    log,
    approve,
    // Nothing changes before a server is started, which is after the tunnel was made.
    changed: (lists) => {
      offering.tunnel?.offer(lists);
      offering.report?.();
    },
  });
  let welcomed: () => void = () => {};
  const welcome = new Promise<void>((resolve) => welcomed = resolve);
  const tunnel = new Tunnel({
    dial,
    clock: systemClock,
    gateway: runner.gateway,
    log,
    welcomed: (name) => {
      log("info", `Connected to ${dial.origin} as runner of tunnel "${printable(name)}"`);
      welcomed();
    },
    hello: {
      type: "hello",
      runner: {
        id: runnerId,
        machine: hostname().slice(0, 64),
        os: process.platform,
        version: VERSION,
      },
      boot: crypto.randomUUID(),
      features: [],
      maxCalls: MAX_CALLS,
    },
  });
  offering.tunnel = tunnel;
  const reload = await runner.follow(load);
  terminal.onReload(() => void reload.now());
  const started = runner.gateway.start().then(() => {
    // Servers that were interrupted have not failed.
    if (terminal.stopped.aborted) return;
    // Who reads that it is ready may list tools the next moment.
    runner.announce();
    const told = new Map<string, string>();
    report(runner, log, { told });
    // A server that was approved, added or changed meanwhile is told of likewise.
    offering.report = () => {
      cancelReport();
      cancelReport = systemClock.after(REPORT_MS, () => report(runner, log, { told, again: true }));
    };
  });
  return {
    runner,
    ready: Promise.all([started, Promise.race([welcome, tunnel.ended])]).then(() => {}),
    ended: tunnel.ended,
    stop: async () => {
      reload.stop();
      delete offering.report;
      cancelReport();
      tunnel.drain(DRAIN_MS);
      await runner.gateway.idle(DRAIN_MS);
      tunnel.close();
      await runner.stop();
    },
  };
}

/** Says of each server what it offers, or that it has failed, unless `told` has it so already. */
function report(
  { servers, gateway }: Runner,
  log: Log,
  { told, again = false }: { readonly told: Map<string, string>; readonly again?: boolean },
): void {
  const offered = gateway.offer().servers;
  for (const name of told.keys()) {
    if (!offered.some((server) => server.name === name)) told.delete(name);
  }
  for (const { name, listed, tools, prompts, resources } of offered) {
    // Why it has failed was told when it did.
    if (!listed) {
      if (!again && offered.length > 1) {
        log("warn", `Server "${name}" has not started; the others are not affected`);
      }
      continue;
    }
    const known = servers.get(name)?.server.lists?.tools.length ?? 0;
    const others = [[prompts, "prompts"], [resources, "resources"]] as const;
    const more = others.filter(([entries]) => entries.length > 0)
      .map(([entries, what]) => `, ${entries.length} ${what}`).join("");
    const allows = tools.length > 0 || more !== "";
    const offers = allows
      ? `Server "${name}": ${tools.length} of ${known} tools allowed${more}`
      : `Server "${name}": none of its ${known} tools is allowed, see tools.allow`;
    const hidden = gateway.problems(name).length;
    const text = `${offers} ${hidden}`;
    if (told.get(name) === text) continue;
    told.set(name, text);
    log(allows ? "info" : "warn", offers);
    if (hidden > 0) {
      log("warn", `Server "${name}": ${hidden} entries are not as it lists them, see "inspect"`);
    }
  }
}
