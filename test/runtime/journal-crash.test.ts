/**
 * The call log where processes are killed and disks are full, with real ones of both.
 *
 * @module
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { JournalReader } from "../../runner/journal/journal-reader.ts";
import { ADA, BOB, callEvent, callsOf, ids, journalBench } from "../support/journal.ts";
import { NODE, startProgram } from "../support/program.ts";

const writer = fileURLToPath(new URL("../support/journal-writer.ts", import.meta.url));

test("after kill -9 every event that was acknowledged is there whole, and the file goes on", async () => {
  await using bench = await journalBench();
  let acknowledged = 0;
  for (let run = 0; run < 5; run++) {
    const owner = `${run}${ADA.slice(1)}`;
    await using program = startProgram(NODE, [writer, bench.home, owner]);
    const line = new RegExp(`^${(run + 2) * 100}$`, "m");
    await program.printed(line);
    assert.equal(await program.stop("SIGKILL"), "SIGKILL");
    const acks = program.stdout().trimEnd().split("\n").map(Number);
    acknowledged = Math.max(...acks);

    const calls = await bench.calls();
    const own = calls.slice(calls.lastIndexOf("1"));
    assert.deepEqual(own, ids(own.length), `run ${run}`);
    assert.ok(own.length >= acknowledged, `${own.length} of ${acknowledged}`);
  }
  const last = await bench.open({ owner: BOB });
  last.write(callEvent("last"));
  await last.close();
  const reader = new JournalReader(bench.folder);
  const calls = await callsOf(reader);
  assert.ok(reader.damaged <= 5);
  assert.equal(calls.filter((call) => call === "1").length, 5);
  assert.equal(calls.filter((call) => call === "last").length, 1);
  assert.deepEqual(await bench.files(), [`${BOB}.jsonl`]);
});

function asRoot(command: string, ...args: readonly string[]): void {
  execFileSync(command, args);
}

/** Whether this user may mount file systems. */
const mounts = process.platform === "linux" && process.getuid?.() === 0;

test(
  "a disk that is full for a while loses no event that fits in memory, and makes no half lines of two",
  { skip: mounts ? false : "needs to mount a file system" },
  async () => {
    await using bench = await journalBench();
    const disk = await mkdtemp(join(bench.home, "disk-"));
    asRoot("mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", disk);
    try {
      const journal = await bench.open({ home: disk });
      const ballast = join(disk, "ballast");
      await writeFile(ballast, "x".repeat(150_000));
      for (const id of ids(150)) {
        journal.write(callEvent(id, { message: "y".repeat(700) }));
        if (Number(id) % 10 === 0) await journal.flush();
      }
      assert.equal(await journal.flush(), false);
      assert.equal(bench.log[0]?.fields["cause"], "ENOSPC");
      await rm(ballast);
      assert.equal(await journal.flush(), true);
      await journal.close();
      const reader = new JournalReader(join(disk, "journal"));
      assert.deepEqual(await callsOf(reader), ids(150));
      assert.ok(reader.damaged <= 20, `${reader.damaged} half lines`);
    } finally {
      asRoot("umount", disk);
    }
  },
);
