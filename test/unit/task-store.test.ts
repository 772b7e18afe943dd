import assert from "node:assert/strict";
import { mkdir, readFile, stat, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, test } from "node:test";
import { MAX_TASKS } from "../../runner/task/kept.ts";
import { TTL_MS } from "../../runner/task/record.ts";
import { fileStore, type TaskStore } from "../../runner/task/store.ts";
import { eventually } from "../support/eventually.ts";
import { fakeClock } from "../support/fake-clock.ts";
import {
  ada,
  newTaskFolder,
  openTasks,
  removeTaskFolders,
  type TaskBench,
} from "../support/tasks.ts";

after(removeTaskFolders);

const posixOnly = { skip: process.platform === "win32" ? "rights of POSIX" : false };

/** The same folder, opened by the next run. */
function reopen({ folder, clock }: TaskBench, owner = "the next process"): Promise<TaskBench> {
  return openTasks({ folder, clock, owner });
}

/** A task whose end is written. */
async function newEnded(bench: TaskBench, result = "{}"): Promise<string> {
  const { taskId, exchange } = await bench.newTask();
  exchange.result(result);
  await bench.get(taskId);
  return taskId;
}

/** Waits until as many tasks have a file. */
function filesLeft(bench: TaskBench, count: number): Promise<string[]> {
  return eventually(`${count} files`, async () => {
    const names = await bench.files();
    return names.length === count ? names : undefined;
  });
}

test("a task is one file that only its user can read", posixOnly, async () => {
  const bench = await openTasks();
  await newEnded(bench);
  const [name = ""] = await bench.files();
  assert.match(name, /^task_[0-9a-f]{32}\.task$/);
  assert.equal((await stat(join(bench.folder, name))).mode & 0o777, 0o600);
  assert.equal((await stat(bench.folder)).mode & 0o777, 0o700);
});

test("a file is the record on one line, and then the result as the server wrote it", async () => {
  const bench = await openTasks();
  const taskId = await newEnded(bench, '{ "text":"line\\nä",\n"n":1.0 }');
  const [name = ""] = await bench.files();
  const text = await readFile(join(bench.folder, name), "utf8");
  const [record = "", ...body] = text.split("\n");
  assert.deepEqual(JSON.parse(record), {
    version: 1,
    id: taskId.slice("r1.".length),
    owner: "this process",
    client: "ada",
    status: "completed",
    createdAt: 1_800_000_000_000,
    updatedAt: 1_800_000_000_000,
    ttlMs: TTL_MS,
  });
  assert.equal(body.join("\n"), '{"resultType":"complete", "text":"line\\nä",\n"n":1.0 }');
});

test("tasks that have ended are as they were after the runner restarts", async () => {
  const first = await openTasks();
  const done = await newEnded(first, '{"content":[{"type":"text","text":"ä"}]}');
  const failed = await first.newTask();
  failed.exchange.listener.error('{"code":-32000,"message":"Out of paper"}');
  const cancelled = await first.newTask();
  await first.request("tasks/cancel", { taskId: cancelled.taskId });
  const ids = [done, failed.taskId, cancelled.taskId];
  const before = await Promise.all(ids.map((taskId) => first.request("tasks/get", { taskId })));
  await first.tasks.stop();
  const second = await reopen(first);
  const then = await Promise.all(ids.map((taskId) => second.request("tasks/get", { taskId })));
  assert.deepEqual(then, before);
  assert.match(
    await second.request("tasks/get", { taskId: done }, { ...ada, client: "eve" }),
    /-32602/,
  );
});

test("a task that a crash of the runner cut off has failed, and says what is not known", async () => {
  const first = await openTasks();
  const working = await first.newTask();
  const asking = await first.newTask();
  asking.exchange.ask('{"q":{"method":"roots/list"}}');
  for (const run of [1, 2]) {
    const next = await reopen(first, `process ${run}`);
    for (const { taskId } of [working, asking]) {
      const { status, statusMessage, error } = await next.get(taskId);
      assert.equal(status, "failed");
      assert.match(statusMessage ?? "", /runner restarted.*may have done its work/);
      assert.equal(error?.data?.["executed"], "unknown");
    }
  }
});

test("a task that a runner had in hand when it was stopped has failed, and its server was told", async () => {
  const first = await openTasks();
  const { taskId, exchange } = await first.newTask();
  await first.tasks.stop();
  assert.deepEqual(exchange.withdrawn, ["The runner is stopping"]);
  const { status, statusMessage } = await (await reopen(first)).get(taskId);
  assert.equal(status, "failed");
  assert.match(statusMessage ?? "", /runner stopped/);
  assert.equal(first.clock.pending, 1, "only the next run's expiry is left");
});

test("a call that is to become a task while the runner stops does not begin", async () => {
  const bench = await openTasks();
  const call = bench.call("required");
  await bench.tasks.stop();
  await call.created();
  assert.equal(bench.exchanges.length, 0);
});

test("the tasks of another runner that lives are its own", async () => {
  const first = await openTasks();
  const { taskId, exchange } = await first.newTask();
  const { folder, clock } = first;
  const second = await openTasks({
    folder,
    clock,
    owner: "another process",
    isAlive: (owner) => Promise.resolve(owner === "this process"),
  });
  assert.match(await second.request("tasks/get", { taskId }), /-32602/);
  const [name = ""] = await first.files();
  assert.match(await readFile(join(folder, name), "utf8"), /"status":"working"/);
  exchange.result('{"content":[]}');
  assert.equal((await first.get(taskId)).status, "completed");
});

test("a task lives for a day to the millisecond, then it never was and its file is gone", async () => {
  const bench = await openTasks();
  const first = await newEnded(bench);
  bench.clock.advance(1_000);
  const second = await newEnded(bench);
  bench.clock.advance(TTL_MS - 1_001);
  assert.equal((await bench.get(first)).status, "completed");
  bench.clock.advance(1);
  assert.match(await bench.request("tasks/get", { taskId: first }), /-32602/);
  await filesLeft(bench, 1);
  assert.equal((await bench.get(second)).status, "completed");
  bench.clock.advance(1_000);
  await filesLeft(bench, 0);
  assert.equal(bench.clock.pending, 0);
});

test("what expired while no runner ran is removed by the next", async () => {
  const first = await openTasks();
  await newEnded(first);
  await first.newTask();
  first.clock.advance(TTL_MS - 1);
  await first.tasks.stop();
  first.clock.advance(1);
  const second = await reopen(first);
  assert.deepEqual(await second.files(), []);
});

test("the oldest that has ended makes room, of the same client first, and none that works", async () => {
  const store = memoryStore();
  const bench = await openTasks({ store: () => store });
  const bob = { ...ada, client: "bob" };
  const working = await bench.newTask();
  const bobs: string[] = [];
  for (let n = 0; n < 2; n++) {
    const { taskId, exchange } = await bench.newTask(bob);
    exchange.result("{}");
    await bench.get(taskId, bob);
    bobs.push(taskId);
  }
  const adas: string[] = [];
  for (let n = 3; n < MAX_TASKS; n++) adas.push(await newEnded(bench));
  const status = async (taskId: string, caller = ada) =>
    (await bench.get(taskId, caller)).status ?? "gone";

  adas.push(await newEnded(bench));
  assert.equal(await status(adas[0] ?? ""), "gone");
  assert.equal(await status(adas[1] ?? ""), "completed");
  assert.deepEqual(await Promise.all(bobs.map((id) => status(id, bob))), [
    "completed",
    "completed",
  ]);

  await bench.newTask({ ...ada, client: "carol" });
  assert.equal(await status(bobs[0] ?? "", bob), "gone");
  assert.equal(await status(bobs[1] ?? "", bob), "completed");
  assert.equal(await status(working.taskId), "working");
  assert.equal(store.size(), MAX_TASKS);
});

test("the oldest results make room on the disk", async () => {
  const store = memoryStore();
  const write = async (...task: Parameters<TaskStore["write"]>) =>
    await store.write(...task) + 400 * 1024 * 1024;
  const bench = await openTasks({ store: () => ({ ...store, write }) });
  const ids = [await newEnded(bench), await newEnded(bench), await newEnded(bench)];
  const shown = await Promise.all(ids.map((taskId) => bench.get(taskId)));
  assert.deepEqual(shown.map(({ status }) => status), [undefined, "completed", "completed"]);
});

test("a task expires on time on a machine that slept over its timer", async () => {
  const clock = fakeClock();
  const bench = await openTasks({ clock: { ...clock, after: () => () => {} } });
  const taskId = await newEnded(bench);
  clock.advance(TTL_MS);
  assert.match(await bench.request("tasks/get", { taskId }), /-32602/);
});

test("no timer is longer than the system can set, though the machine's clock was set back", async () => {
  const first = await openTasks();
  await newEnded(first);
  const earlier = fakeClock(first.clock.now() - 90 * TTL_MS);
  const waits: number[] = [];
  await openTasks({
    folder: first.folder,
    clock: {
      ...earlier,
      after: (ms, run) => (waits.push(ms), earlier.after(ms, run)),
    },
  });
  assert.deepEqual(waits, [TTL_MS]);
});

test("a store gives the oldest tasks first", async () => {
  const bench = await openTasks();
  const ids: string[] = [];
  for (let n = 0; n < 8; n++) {
    ids.push((await bench.newTask()).taskId.slice("r1.".length));
    bench.clock.advance(1);
  }
  const loaded = await fileStore(bench.folder).load(0);
  assert.deepEqual(loaded.map(({ record }) => record.id), ids);
});

test("an end that cannot be written is shown as long as the runner runs", async () => {
  let full = false;
  const bench = await openTasks({
    store: (store) => ({
      ...store,
      write: (record, body) =>
        full ? Promise.reject(new Error("ENOSPC")) : store.write(record, body),
    }),
  });
  const { taskId, exchange } = await bench.newTask();
  full = true;
  exchange.result('{"content":[]}');
  const { status, result } = await bench.get(taskId);
  assert.equal(status, "completed");
  assert.deepEqual(result, { resultType: "complete", content: [] });
  assert.match(bench.log.join(), /could not be written/);
});

test("an end is shown only when it would outlive a crash", async () => {
  let written = (): void => {};
  const bench = await openTasks({
    store: (store) => ({
      ...store,
      write: async (record, body) => {
        if (record.status !== "working") await new Promise<void>((resolve) => written = resolve);
        return await store.write(record, body);
      },
    }),
  });
  const { taskId, exchange } = await bench.newTask();
  exchange.result("{}");
  let shown: string | undefined;
  const asked = bench.get(taskId).then(({ status }) => shown = status);
  assert.doesNotMatch(
    await readFile(join(bench.folder, (await bench.files())[0] ?? ""), "utf8"),
    /completed/,
  );
  assert.equal(shown, undefined);
  written();
  await asked;
  assert.equal(shown, "completed");
});

test("what is no task is cleared away, and what cannot be read keeps no runner from starting", async () => {
  const first = await openTasks();
  const taskId = await newEnded(first);
  const [name = ""] = await first.files();
  const text = await readFile(join(first.folder, name), "utf8");
  const other = (digit: string) => join(first.folder, `task_${digit.repeat(32)}.task`);
  await writeFile(other("1"), "");
  await writeFile(other("2"), '{"version":1}\n{}');
  await writeFile(other("3"), text); // says that it is another
  await writeFile(other("4"), text.replace('"version":1', '"version":2'));
  await writeFile(other("5"), "x".repeat(100_000));
  await mkdir(other("6"));
  await writeFile(join(first.folder, "notes.txt"), "mine");
  const second = await reopen(first);
  assert.deepEqual(
    (await second.files()).toSorted(),
    [
      name,
      "notes.txt",
      `task_${"6".repeat(32)}.task`,
    ].toSorted(),
  );
  assert.equal((await second.get(taskId)).status, "completed");
});

test("a half-written file of a runner that died is removed, one that is being written is not", async () => {
  const folder = await newTaskFolder();
  const store = fileStore(folder);
  await store.load(Date.now());
  const old = join(folder, "task_x.task.1.tmp");
  const fresh = join(folder, "task_x.task.2.tmp");
  await writeFile(old, "");
  await writeFile(fresh, "");
  const hoursAgo = (Date.now() - 2 * 3_600_000) / 1000;
  await utimes(old, hoursAgo, hoursAgo);
  await store.load(Date.now());
  await assert.rejects(stat(old), { code: "ENOENT" });
  await stat(fresh);
});

test("a task whose file somebody removed never was", async () => {
  const bench = await openTasks();
  const taskId = await newEnded(bench);
  await fileStore(bench.folder).remove(taskId.slice("r1.".length));
  assert.match(await bench.request("tasks/get", { taskId }), /-32602/);
});

test("a folder that cannot be made stops the runner with a reason", async () => {
  const folder = await newTaskFolder();
  await writeFile(folder, "");
  await assert.rejects(openTasks({ folder }), { code: "store_unavailable" });
});

/** A store without a disk, for tests with many tasks. */
function memoryStore(): TaskStore & { size(): number } {
  const bodies = new Map<string, string>();
  return {
    load: () => Promise.resolve([]),
    write: (record, body) => {
      bodies.set(record.id, body);
      return Promise.resolve(body.length);
    },
    body: (id) => Promise.resolve(bodies.get(id)),
    remove: (id) => Promise.resolve(void bodies.delete(id)),
    size: () => bodies.size,
  };
}

test("a result that names its task is kept without that name, and with all its other bytes", async () => {
  const bench = await openTasks();
  const related = '"io.modelcontextprotocol/related-task":{"taskId":"x"}';
  const own = '"structuredContent":{ "n":1.0, "n":2 }';
  const taskId = await newEnded(bench, `{${own},"_meta":{${related}, "a":1 }}`);
  const alone = await newEnded(bench, `{"_meta":{${related}},${own}}`);
  const raw = (id: string): Promise<string> => bench.request("tasks/get", { taskId: id });
  assert.ok(
    (await raw(taskId)).includes(`"result":{"resultType":"complete",${own},"_meta":{"a":1}}`),
  );
  assert.ok((await raw(alone)).includes(`"result":{"resultType":"complete",${own}}`));
});
