/**
 * How much memory another process has, on Linux.
 *
 * @module
 */
import { readFile, writeFile } from "node:fs/promises";

/** Whether this system tells. */
export const TELLS_MEMORY = process.platform === "linux";

/** The most bytes that the process `pid` ever had at a time, since its start or `forgetPeak`. */
export async function peakMemory(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  const kib = /^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1];
  if (kib === undefined) throw new Error(`No peak in the status of process ${pid}`);
  return Number(kib) * 1024;
}

/** Lets the peak of the process `pid` begin anew at what it has now, and returns that. */
export async function forgetPeak(pid: number): Promise<number> {
  // proc_pid_clear_refs(5): 5 resets the peak.
  await writeFile(`/proc/${pid}/clear_refs`, "5");
  return await peakMemory(pid);
}
