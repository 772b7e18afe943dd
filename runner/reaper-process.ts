/**
 * A process beside the runner that outlives it. It waits for the runner to say that nothing of it is left in
 * the engine; if the runner ends without a word, killed or crashed, the process removes what is left.
 *
 *     runner ──stdin──▶ mcp-runner reap
 *             "."        nothing is left: ends at once
 *             end        killed: cli/reap.ts removes what it left
 *
 * @module
 */
import { type ChildProcess, spawn } from "node:child_process";
import { Socket } from "node:net";
import { fileURLToPath } from "node:url";
import type { Log } from "../src/log.ts";
import { ALL_CLEAR, REAP } from "./outlive.ts";

/** The launcher: beside the built program, or the source of it. */
const LAUNCHER = import.meta.url.endsWith(".ts") ? "./main.ts" : "./runner.js";

/** The process that waits for the end of this one. */
export interface ReaperProcess {
  /** Ends it: nothing is left that it would have to remove. */
  dismiss(): Promise<void>;
}

/** Whom it outlives. */
export interface ReaperProcessOptions {
  /** The state directory, which tells dead owners. */
  readonly home: string;
  /** Names the engine. */
  readonly env: NodeJS.ProcessEnv;
  readonly log: Log;
}

/** Starts it. Without it the next start removes what is left, so a failure is no more than a warning. */
export function startReaperProcess({ home, env, log }: ReaperProcessOptions): ReaperProcess {
  const child: ChildProcess = spawn(
    process.execPath,
    [fileURLToPath(new URL(LAUNCHER, import.meta.url)), REAP],
    {
      cwd: home,
      env: { ...env, MCP_RUNNER_HOME: home },
      // A group of its own: what ends all processes of a terminal must not end it as well.
      detached: true,
      stdio: ["pipe", "ignore", "ignore"],
      windowsHide: true,
    },
  );
  child.on("error", ({ message }) => {
    log("warn", `What this process leaves if it is killed, the next start removes: ${message}`);
  });
  // Missing where no process could be started.
  const stdin = child.stdin ?? undefined;
  // One that has ended already has nothing to be told.
  stdin?.on("error", () => {});
  child.unref();
  if (stdin instanceof Socket) stdin.unref();
  return {
    dismiss: async () =>
      await new Promise((resolve) => {
        if (stdin === undefined) resolve();
        else stdin.end(ALL_CLEAR, () => resolve());
      }),
  };
}
