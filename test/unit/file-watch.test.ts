import { mkdir, mkdtemp, rename, rm, symlink, unlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { SETTLE_MS, watchFiles } from "../../runner/reload/file-watch.ts";
import { systemClock } from "../../src/clock.ts";
import { eventually } from "../support/eventually.ts";
import { fakeClock } from "../support/fake-clock.ts";

interface Bench extends AsyncDisposable {
  readonly folder: string;
  readonly file: string;
  /** Resolves with the next change that is told. */
  next(): Promise<void>;
}

async function openBench(prepare: (file: string) => Promise<void>): Promise<Bench> {
  const folder = await mkdtemp(join(tmpdir(), "mcp-runner-watch-"));
  const file = join(folder, "mcp-runner.yaml");
  await prepare(file);
  let told = 0;
  let asked = 0;
  const waiting: Array<() => void> = [];
  const stop = await watchFiles({
    paths: [file],
    clock: systemClock,
    changed: () => {
      told++;
      for (const resolve of waiting.splice(0)) resolve();
    },
  });
  return {
    folder,
    file,
    next: async () => {
      const wanted = ++asked;
      await new Promise<void>((resolve) => {
        if (told >= wanted) resolve();
        else waiting.push(resolve);
      });
      told = wanted;
    },
    [Symbol.asyncDispose]: async () => {
      stop();
      await rm(folder, { recursive: true });
    },
  };
}

const changes: Array<[how: string, change: (bench: Bench) => Promise<void>]> = [
  ["written in place", ({ file }) => writeFile(file, "another text")],
  ["replaced by a rename", async ({ file, folder }) => {
    await writeFile(join(folder, "new"), "new");
    await rename(join(folder, "new"), file);
  }],
  ["removed", ({ file }) => unlink(file)],
  ["replaced by a symlink", async ({ file, folder }) => {
    await writeFile(join(folder, "real"), "somewhere else");
    await unlink(file);
    await symlink(join(folder, "real"), file);
  }],
];

for (const [how, change] of changes) {
  test(`watchFiles() tells when the file was ${how}`, async () => {
    await using bench = await openBench((file) => writeFile(file, "text"));
    await change(bench);
    await bench.next();
  });
}

test("watchFiles() tells when a file appears, and when it is replaced again and again", async () => {
  await using bench = await openBench(async () => {});
  await writeFile(bench.file, "first");
  await bench.next();
  for (const text of ["second", "third, longer"]) {
    await writeFile(`${bench.file}.new`, text);
    await rename(`${bench.file}.new`, bench.file);
    await bench.next();
  }
});

test("watchFiles() tells when the file that a symlink leads to was changed", async () => {
  await using bench = await openBench(async (file) => {
    const elsewhere = join(file, "..", "elsewhere");
    await mkdir(elsewhere);
    await writeFile(join(elsewhere, "real.yaml"), "text");
    await symlink(join(elsewhere, "real.yaml"), file);
  });
  await writeFile(join(bench.folder, "elsewhere", "real.yaml"), "another text");
  await bench.next();
});

test("watchFiles() tells of a file that is never at rest", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "mcp-runner-watch-"));
  const file = join(folder, "mcp-runner.yaml");
  const clock = fakeClock();
  let told = 0;
  const stop = await watchFiles({ paths: [file], clock, changed: () => told++ });
  t.after(async () => {
    stop();
    await rm(folder, { recursive: true });
  });
  let n = 0;
  await eventually("it is told", async () => {
    await writeFile(file, "x".repeat(++n));
    clock.advance(SETTLE_MS / 2);
    return told > 0 || undefined;
  });
});
