/**
 * Keeps a runner as its config says while that changes. A config that cannot be used changes nothing:
 * what is wrong with it is told, and the servers go on as they were.
 *
 * @module
 */
import { stat } from "node:fs/promises";
import { join } from "node:path";
import type { Clock } from "../../src/clock.ts";
import { toGatewayError } from "../../src/errors.ts";
import type { Log } from "../../src/log.ts";
import { APPROVALS_FILE } from "../approval/approvals.ts";
import type { Config } from "../config/config.ts";
import type { Journal } from "../journal/journal.ts";
import { PINS_FILE } from "../policy/pin-file.ts";
import type { Runner } from "../runner.ts";
import { watchFiles } from "./file-watch.ts";

/** What is kept, and how. */
export interface ReloadOptions {
  readonly runner: Runner;
  /** Absolute path of the config. */
  readonly path: string;
  /** Reads the config as it is now. */
  readonly load: () => Promise<Config>;
  /** The state directory. */
  readonly home: string;
  /** Absolute path of the file that changes with the secrets of the store. */
  readonly secretsPath: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly journal: Journal;
}

/** A runner that follows its config. */
export interface Reload {
  /** Reads the config again now; never rejects. */
  now(): Promise<void>;
  /** Why the config as it is now is not the one in use. */
  readonly problem: string | undefined;
  stop(): void;
}

/** Starts to follow. */
export async function followConfig(options: ReloadOptions): Promise<Reload> {
  const { runner, path, load, home, secretsPath, clock, log, journal } = options;
  let problem: string | undefined;
  let turn: Promise<void> = Promise.resolve();
  /** A reading that has not begun yet: what has changed until then is in it. */
  let next: Promise<void> | undefined;
  let stopped = false;

  const reload = async (): Promise<void> => {
    next = undefined;
    if (stopped) return;
    let config: Config;
    try {
      config = await load();
    } catch (thrown) {
      const { message } = toGatewayError(thrown);
      // The same fault is told once, however often the file is looked at.
      if (message === problem) return;
      problem = message;
      for (const line of message.split("\n")) log("error", line);
      log("error", "The servers go on as they were");
      journal.write({
        type: "config",
        outcome: "refused",
        started: [],
        changed: [],
        removed: [],
        message,
      });
      return;
    }
    if (problem !== undefined) log("info", "The config can be used again");
    problem = undefined;
    if (stopped) return;
    const applied = await runner.apply(config);
    const { started, changed, removed } = applied;
    if (started.length + changed.length + removed.length === 0) return;
    journal.write({ type: "config", outcome: "applied", ...applied });
    const parts = [["new", started], ["changed", changed], ["removed", removed]] as const;
    const told = parts.filter(([, names]) => names.length > 0)
      .map(([what, names]) => `${what}: ${names.join(", ")}`);
    log("info", `The config has changed (${told.join("; ")})`);
  };
  const now = (): Promise<void> => {
    if (next !== undefined) return next;
    next = turn = turn.then(reload).catch((thrown: unknown) => {
      log("error", `Cannot apply the config: ${toGatewayError(thrown).message}`);
    });
    return next;
  };

  const approvals = join(home, APPROVALS_FILE);
  const stops = await Promise.all([
    watchFiles({ paths: [path], clock, changed: () => void now() }),
    // Logins are kept with the secrets, and no part of what makes a server another.
    watchFiles({
      paths: [secretsPath],
      clock,
      changed: () => void now().then(() => stopped || runner.retry()),
    }),
    watchFiles({ paths: [approvals], clock, changed: () => runner.retry() }),
    watchFiles({ paths: [join(home, PINS_FILE)], clock, changed: () => void runner.pins.reload() }),
  ]);
  // The config was read some time ago: when this program had just begun, at the earliest.
  const facts = await stat(path).catch(() => undefined);
  if (facts === undefined || facts.ctimeMs > performance.timeOrigin) void now();
  return {
    now,
    get problem() {
      return problem;
    },
    stop: () => {
      stopped = true;
      for (const stop of stops) stop();
    },
  };
}
