import assert from "node:assert/strict";
import { appendFile, mkdir, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { JournalReader } from "../../runner/journal/journal-reader.ts";
import { ADA, BOB, callEvent, callsOf, ids, journalBench } from "../support/journal.ts";
import { eventually } from "../support/eventually.ts";

test("10,000 events are 10,000 lines, in their order, each with its number", async () => {
  await using bench = await journalBench();
  const journal = await bench.open();
  for (const id of ids(10_000)) journal.write(callEvent(id));
  await journal.close();
  const lines = (await bench.text()).trimEnd().split("\n").map((line) =>
    JSON.parse(line) as { seq: number; call: string; id: string }
  );
  assert.deepEqual(lines.map(({ call }) => call), ids(10_000));
  assert.deepEqual(lines.map(({ seq }) => String(seq)), ids(10_000));
  assert.equal(new Set(lines.map(({ id }) => id)).size, 10_000);
  assert.deepEqual(await bench.calls(), ids(10_000));
});

test("an event is written once its turn of the loop is over, without anybody asking for it", async () => {
  await using bench = await journalBench();
  const journal = await bench.open({ runner: "runner-1" });
  journal.write(callEvent("1"));
  const line = await eventually("it is in the file", async () => await bench.text() || undefined);
  assert.deepEqual(JSON.parse(line), {
    v: 1,
    seq: 1,
    time: "2027-01-15T08:00:00.000Z",
    id: "aaaaaaaa-1",
    boot: ADA,
    runner: "runner-1",
    ...callEvent("1"),
  });
  await journal.close();
});

test("the shape of arguments is made after the turn in which it was written", async () => {
  await using bench = await journalBench();
  const journal = await bench.open();
  let computed = 0;
  journal.write(callEvent("1"), () => {
    computed++;
    return { text: "string(2)" };
  });
  assert.equal(computed, 0);
  await journal.flush();
  assert.equal(computed, 1);
  assert.match(await bench.text(), /"args":\{"text":"string\(2\)"\}/);
  await journal.close();
});

test("the files and their folder are the user's alone", async () => {
  await using bench = await journalBench();
  const journal = await bench.open();
  await journal.close();
  const [name = ""] = await bench.files();
  assert.equal(name, `${ADA}.jsonl`);
  if (process.platform === "win32") return;
  assert.equal((await stat(bench.folder)).mode & 0o777, 0o700);
  assert.equal((await stat(join(bench.folder, name))).mode & 0o777, 0o600);
});

test("a name with line feeds and control characters stays inside its line", async () => {
  await using bench = await journalBench();
  const journal = await bench.open();
  const tool = 'a\n{"v":1,"type":"call"}\r\u001b[2K\u0000';
  journal.write(callEvent("1", { tool }));
  await journal.close();
  const text = await bench.text();
  // deno-lint-ignore no-control-regex -- none of them may be there
  assert.doesNotMatch(text.trimEnd(), /[\u0000-\u001f]/);
  assert.equal((JSON.parse(text) as { tool: string }).tool, tool);
  assert.deepEqual(await bench.calls(), ["1"]);
});

test("secrets are taken out of what servers and callers say", async () => {
  await using bench = await journalBench();
  const journal = await bench.open({ redact: (text) => text.replaceAll("hunter2", "[secret]") });
  const words = { tool: "x-hunter2", message: "said hunter2" };
  journal.write(callEvent("1", words));
  journal.write({ type: "egress_blocked", server: "a", host: "hunter2.x", reason: "no", count: 1 });
  await journal.close();
  const text = await bench.text();
  assert.doesNotMatch(text, /hunter2/);
  assert.equal(text.match(/\[secret\]/g)?.length, 3);
});

test("full files are put aside, the newest are kept, and nothing is lost between them", async () => {
  await using bench = await journalBench();
  const journal = await bench.open({ maxBytes: 10_000, keep: 3 });
  for (const id of ids(400)) {
    journal.write(callEvent(id));
    bench.clock.advance(1);
    if (Number(id) % 5 === 0) await journal.flush();
  }
  await journal.close();
  const files = await bench.files();
  assert.equal(files.length, 3);
  for (const name of files) {
    assert.ok((await stat(join(bench.folder, name))).size <= 10_000, name);
  }
  const kept = await bench.calls();
  assert.deepEqual(kept, ids(kept.length, 401 - kept.length));
  assert.ok(kept.length > 50);
});

test("who follows sees every event once, however often files are put aside", async () => {
  await using bench = await journalBench();
  const journal = await bench.open({ maxBytes: 5_000, keep: 100 });
  const reader = new JournalReader(bench.folder);
  const seen: string[] = [];
  for (const id of ids(300)) {
    journal.write(callEvent(id));
    bench.clock.advance(1);
    if (Number(id) % 7 === 0) await journal.flush();
    if (Number(id) % 3 === 0) seen.push(...await callsOf(reader));
  }
  await journal.close();
  seen.push(...await callsOf(reader));
  assert.deepEqual(seen, ids(300));
  assert.ok((await bench.files()).length > 10);
});

test("two runners write at once, each its own file, and are read as one by time", async () => {
  await using bench = await journalBench();
  const isAlive = async (): Promise<boolean> => true;
  const ada = await bench.open({ isAlive });
  const bob = await bench.open({ owner: BOB, isAlive });
  for (const id of ids(50)) {
    (Number(id) % 3 === 0 ? ada : bob).write(callEvent(id));
    bench.clock.advance(1);
  }
  await ada.close();
  await bob.close();
  assert.deepEqual(await bench.files(), [`${ADA}.jsonl`, `${BOB}.jsonl`]);
  assert.deepEqual(await bench.calls(), ids(50));
});

test("a runner goes on with the file of one that has ended, and leaves that of a living one alone", async () => {
  await using bench = await journalBench();
  for (const owner of [ADA, BOB]) {
    const journal = await bench.open({ owner, isAlive: async () => true });
    journal.write(callEvent(owner.slice(0, 1)));
    await journal.close();
    bench.clock.advance(1);
  }
  const third = "cccccccc-0000-4000-8000-000000000000";
  const journal = await bench.open({ owner: third, isAlive: async (owner) => owner === BOB });
  journal.write(callEvent("c"));
  await journal.close();
  assert.deepEqual(await bench.files(), [`${BOB}.jsonl`, `${third}.jsonl`]);
  assert.deepEqual(await bench.calls(), ["a", "b", "c"]);
});

test("a line that was cut off is skipped, and the next event does not become part of it", async () => {
  await using bench = await journalBench();
  const first = await bench.open();
  first.write(callEvent("1"));
  await first.close();
  await appendFile(join(bench.folder, `${ADA}.jsonl`), '{"v":1,"seq":2,"time":"2027-01');
  const next = await bench.open({ owner: BOB });
  next.write(callEvent("3"));
  await next.close();
  const reader = new JournalReader(bench.folder);
  assert.deepEqual(await callsOf(reader), ["1", "3"]);
  assert.equal(reader.damaged, 1);
});

test("what is no event, and a line that is far too long, is skipped and counted", async () => {
  await using bench = await journalBench();
  await mkdir(bench.folder);
  const good = '{"v":1,"type":"call","time":"2027-01-15T08:00:00.000Z","call":"1"}';
  const bad = ["x", "{}", '{"v":2,"type":"call","time":"2027-01-15T08:00:00.000Z"}', "\ud800"];
  const long = `{"v":1,"x":"${"x".repeat(3_000_000)}"}`;
  await writeFile(
    join(bench.folder, `${ADA}.jsonl`),
    `${[...bad, good, long, good, "", good].join("\n")}\n`,
  );
  const reader = new JournalReader(bench.folder);
  assert.deepEqual(await callsOf(reader), ["1", "1", "1"]);
  assert.equal(reader.damaged, bad.length + 1);
});

test("a line that is still being written is read when it is whole", async () => {
  await using bench = await journalBench();
  await mkdir(bench.folder);
  const path = join(bench.folder, `${ADA}.jsonl`);
  const line = '{"v":1,"type":"call","time":"2027-01-15T08:00:00.000Z","call":"1"}\n';
  const reader = new JournalReader(bench.folder);
  await writeFile(path, line.slice(0, 30));
  assert.deepEqual(await callsOf(reader), []);
  await appendFile(path, line.slice(30));
  assert.deepEqual(await callsOf(reader), ["1"]);
  assert.equal(reader.damaged, 0);
});

test("there may be no call log yet", async () => {
  await using bench = await journalBench();
  assert.deepEqual(await bench.calls(), []);
});

const onLinux = { skip: process.platform === "linux" ? false : "needs /dev/full" };

test(
  "a full disk stops no call, is told once a minute, and what was lost is told when it has room",
  onLinux,
  async () => {
    await using bench = await journalBench();
    await mkdir(bench.folder);
    const path = join(bench.folder, `${ADA}.jsonl`);
    await symlink("/dev/full", path);
    const journal = await bench.open();
    const long = "x".repeat(2_000);
    for (const id of ids(10_000)) journal.write(callEvent(id, { message: long }));
    assert.equal(await journal.flush(), false);
    const warnings = () => bench.log.filter(({ level }) => level === "warn");
    assert.equal(warnings().length, 1);
    assert.equal(warnings()[0]?.fields["cause"], "ENOSPC");
    for (let second = 1; second <= 60; second++) {
      bench.clock.advance(1_000);
      await journal.flush();
      assert.equal(warnings().length, second < 60 ? 1 : 2, `after ${second} s`);
    }
    const lost = Number(warnings()[1]?.fields["lost"]);
    assert.ok(lost > 5_000 && lost < 7_000, String(lost));

    await rm(path);
    assert.equal(await journal.flush(), true);
    assert.equal(bench.log.at(-1)?.message, "The call log is written again");
    journal.write(callEvent("later"));
    await journal.close();
    const lines = (await readFile(path, "utf8")).trimEnd().split("\n").map((line) =>
      JSON.parse(line) as { type: string; call?: string; count?: number }
    );
    const kept = 10_000 - lost;
    assert.deepEqual(lines.slice(0, kept).map(({ call }) => call), ids(kept));
    assert.deepEqual([lines[kept]?.type, lines[kept]?.count], ["lost", lost]);
    assert.equal(lines[kept + 1]?.call, "later");
    assert.equal(lines.length, kept + 2);
  },
);

test("a call log that cannot even be opened is tried again", onLinux, async () => {
  await using bench = await journalBench();
  await writeFile(bench.folder, "in the way");
  const journal = await bench.open();
  journal.write(callEvent("1"));
  assert.equal(await journal.flush(), false);
  await rm(bench.folder);
  bench.clock.advance(1_000);
  await eventually("it is written", async () => (await bench.calls())[0]);
  await journal.close();
});
