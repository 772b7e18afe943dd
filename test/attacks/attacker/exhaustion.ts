/**
 * What an attacker takes as much of as it can get: processes, memory, files, processor time, room.
 *
 * @module
 */
import { execFileSync, spawn } from "node:child_process";
import fs from "node:fs";
import process from "node:process";
import type { Attempt } from "../attempt.ts";

const MIB = 1024 ** 2;

/** Never freed. */
const kept: Buffer[] = [];

function perl(script: string): string {
  return execFileSync("/usr/bin/perl", ["-e", script], { encoding: "utf8", timeout: 60_000 });
}

/** Processes that make processes for some seconds, each as many as it can. */
export function forkBomb(seconds: number): readonly Attempt[] {
  // Every process of the bomb ends at the same time; only the first one says something.
  const script = `
    $first = $$; $end = time + ${seconds};
    while (time < $end) {
      next if defined fork;
      $refused = $! + 0;
      select(undef, undef, undef, 0.01);
    }
    print $refused if $$ == $first;
  `;
  const code = Number(perl(script));
  return [{ what: "make processes without end", got: code === 11 ? "EAGAIN" : `errno ${code}` }];
}

/** Takes memory step by step until it is killed; `everyMs` 0: as fast as it can. */
export function hogMemory(stepMib: number, everyMs: number): Promise<never> {
  const take = (): void => void kept.push(Buffer.alloc(stepMib * MIB, 1));
  if (everyMs === 0) { for (;;) take(); }
  setInterval(take, everyMs);
  return new Promise(() => {});
}

/** Writes into a file of each folder until nothing more fits, and leaves it there. */
export function fillDisk(folders: readonly string[]): readonly Attempt[] {
  const block = Buffer.alloc(MIB, 1);
  return folders.map((folder) => {
    let mib = 0;
    try {
      const file = fs.openSync(`${folder}/filler`, "w");
      // Somewhat more than it should get, so that an open end is seen and harms nobody.
      for (; mib < 512; mib++) fs.writeSync(file, block);
      return { what: folder, got: `done: ${mib} MiB` };
    } catch (error) {
      const code = error instanceof Error && "code" in error ? String(error.code) : String(error);
      return { what: folder, got: `${code} after ${mib} MiB` };
    }
  });
}

/** Opens files until no more can be opened; they stay open for `holdMs`. */
export async function openFiles(holdMs: number): Promise<readonly Attempt[]> {
  const open: number[] = [];
  try {
    while (open.length < 100_000) open.push(fs.openSync("/dev/null", "r"));
    return [{ what: "open files", got: `done: ${open.length}` }];
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : String(error);
    await new Promise((resolve) => setTimeout(resolve, holdMs));
    return [{ what: "open files", got: `${code} after ${open.length}` }];
  } finally {
    for (const file of open) fs.closeSync(file);
  }
}

/** Keeps `count` processes busy for some seconds. */
export async function spin(count: number, seconds: number): Promise<readonly Attempt[]> {
  const script = `$end = time + ${seconds}; 1 while time < $end`;
  const spinning = Array.from(
    { length: count },
    () =>
      new Promise((resolve) =>
        spawn("/usr/bin/perl", ["-e", script], { stdio: "ignore" }).once("close", resolve)
      ),
  );
  await Promise.all(spinning);
  return [{ what: `${count} busy processes`, got: "done" }];
}

/** A process that belongs to nobody, ignores every signal that can be ignored, and holds no stream. */
export function daemonise(mark: string): readonly Attempt[] {
  // Its child ends at once, and nobody asks for its end.
  const script = `
    $SIG{$_} = "IGNORE" for qw(TERM INT HUP PIPE);
    exit if fork; exit if fork; exit if !fork;
    sleep 600 while 1;
  `;
  spawn("/usr/bin/perl", ["-e", script, mark], { detached: true, stdio: "ignore" }).unref();
  return [{ what: "leave processes behind", got: "done" }];
}

/** Ends without a word. */
export function vanish(): never {
  process.exit(9);
}
