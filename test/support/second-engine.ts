/**
 * A Docker engine of a test's own, which it may end and start again without anybody else's noticing:
 * a second `dockerd` with folders of its own, in a network namespace of its own. Without that it would
 * remove the bridge `docker0` of the machine's engine, as every engine does that is told to have none.
 *
 * @module
 */
import { execFileSync } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { connectEngine, type Engine } from "../../runner/docker/engine.ts";
import { type Program, startProgram } from "./program.ts";

/** An engine that runs, or does not. */
export interface SecondEngine extends AsyncDisposable {
  /** As in `DOCKER_HOST`. */
  readonly host: string;
  /** Starts it and resolves when it answers. */
  start(): Promise<Engine>;
  /** Ends it and resolves when it has ended. SIGKILL leaves its containers running. */
  end(signal: "SIGTERM" | "SIGKILL"): Promise<void>;
}

/** Milliseconds until an engine that was started answers. */
const START_MS = 60_000;

/** Why there can be no second engine here; undefined when there can. */
export function secondEngineObstacle(): string | undefined {
  if (process.platform !== "linux") return `it needs Linux, and this is ${process.platform}`;
  if (process.getuid?.() !== 0) return "it needs root";
  try {
    execFileSync("unshare", ["--net", "dockerd", "--version"], { stdio: "ignore" });
    return undefined;
  } catch {
    return "it needs dockerd and unshare on PATH, and network namespaces";
  }
}

/** Makes the folders of an engine; nothing runs yet. */
export async function createSecondEngine(): Promise<SecondEngine> {
  const folder = await mkdtemp(join(tmpdir(), "mcp-runner-engine-"));
  const host = `unix://${join(folder, "d.sock")}`;
  const args = [
    ["--net", "dockerd"],
    ["--host", host],
    ["--data-root", join(folder, "data")],
    ["--exec-root", join(folder, "exec")],
    ["--pidfile", join(folder, "pid")],
    ["--bridge=none", "--iptables=false", "--ip-masq=false", "--ip-forward=false"],
  ].flat();
  let program: Program | undefined;

  async function start(): Promise<Engine> {
    program = startProgram("unshare", args);
    const ended = program.exit.then(() => true);
    const deadline = performance.now() + START_MS;
    for (;;) {
      try {
        return await connectEngine({ DOCKER_HOST: host });
      } catch (error) {
        if (performance.now() > deadline || await Promise.race([ended, sleep(50, false)])) {
          throw new Error(`The second engine does not start:\n${program.output()}`, {
            cause: error,
          });
        }
      }
    }
  }

  async function end(signal: "SIGTERM" | "SIGKILL"): Promise<void> {
    program?.process.kill(signal);
    await program?.exit;
  }

  return {
    host,
    start,
    end,
    [Symbol.asyncDispose]: async () => {
      await end("SIGTERM");
      await endContainerd(join(folder, "exec/containerd/containerd.pid"));
      await unmountBelow(folder);
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** The helper of an engine, which a killed one leaves behind; its number is in a file of ours. */
async function endContainerd(pidFile: string): Promise<void> {
  const pid = Number(await readFile(pidFile, "utf8").catch(() => ""));
  if (pid === 0) return;
  try {
    process.kill(pid, "SIGTERM");
    for (;;) {
      process.kill(pid, 0);
      await sleep(50);
    }
  } catch {
    // ESRCH: it has ended.
  }
}

/** What an engine that was killed had mounted, its data folder among it. */
async function unmountBelow(folder: string): Promise<void> {
  const mounts = (await readFile("/proc/self/mounts", "utf8")).split("\n")
    .map((line) => line.split(" ")[1] ?? "")
    .filter((path) => path.startsWith(`${folder}/`));
  // The last mounted first: it may lie in another.
  for (const path of mounts.toReversed()) execFileSync("umount", [path]);
}
