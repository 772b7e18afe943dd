/**
 * What a container uses, read from the files of its control groups: from outside, and without the second
 * that an engine takes for its statistics. Linux, on the machine of the engine; cgroup v1 and v2.
 *
 * @module
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";

/** What a container uses, at one moment. */
export interface Usage {
  /** Milliseconds of this process's clock. */
  readonly atMs: number;
  readonly pids: number;
  /** The most that it ever was. */
  readonly memoryBytes: number;
  /** Processor time so far, in milliseconds. */
  readonly cpuMs: number;
}

const ROOT = "/sys/fs/cgroup";

/**
 * Reads what the container uses of which `pid` is a process.
 *
 * @returns `undefined` when it has ended.
 */
export async function readUsage(pid: number): Promise<Usage | undefined> {
  try {
    const lines = (await readFile(`/proc/${pid}/cgroup`, "utf8")).trim().split("\n");
    const groups = new Map(lines.flatMap((line) => {
      const [, controllers = "", path = ""] = line.split(":");
      return controllers.split(",").map((name) => [name, path] as const);
    }));
    const unified = groups.get("");
    const v1 = groups.has("memory");
    const number = async (
      controller: string,
      v1Name: string,
      v2Name: string,
      pattern = /(\d+)/,
    ) => {
      const path = v1
        ? join(ROOT, controller, groups.get(controller) ?? "", v1Name)
        : join(ROOT, unified ?? "", v2Name);
      return Number(pattern.exec(await readFile(path, "utf8"))?.[1]);
    };
    const cpu = await number("cpuacct", "cpuacct.usage", "cpu.stat", /^(?:usage_usec )?(\d+)/m);
    return {
      atMs: performance.now(),
      pids: await number("pids", "pids.current", "pids.current"),
      memoryBytes: await number("memory", "memory.max_usage_in_bytes", "memory.peak"),
      cpuMs: cpu / (v1 ? 1e6 : 1e3),
    };
  } catch (error) {
    // ESRCH and ENOENT: the process, or its group, is gone.
    if (error instanceof Error && "code" in error) return undefined;
    throw error;
  }
}
