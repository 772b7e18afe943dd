/**
 * What the store owes to being a file: one winner among processes, durability, privacy.
 *
 * @module
 */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { newJoinCode, redeemJoinCode } from "../../worker/access/join-code.ts";
import { createClientToken, createTunnelToken, revokeToken } from "../../worker/access/ledger.ts";
import { openSqliteStore } from "../../worker/store/node-sqlite.ts";

let directory: string;
let path: string;

before(async () => {
  directory = await mkdtemp(join(tmpdir(), "mcp-runner-store-"));
});

after(() => rm(directory, { recursive: true }));

let files = 0;

function newPath(): string {
  path = join(directory, `worker-${files++}.db`);
  return path;
}

function spawnCounter(...flags: string[]): ChildProcess {
  const script = fileURLToPath(new URL("../support/store-counter.ts", import.meta.url));
  return spawn(process.execPath, [script, path, ...flags], { stdio: ["pipe", "pipe", "inherit"] });
}

/** Resolves once the next line that `counter` prints is `line`. */
async function says(counter: ChildProcess, line: string): Promise<void> {
  assert.ok(counter.stdout !== null);
  const signal = AbortSignal.timeout(20_000);
  const printed: unknown[] = await once(counter.stdout, "data", { signal });
  assert.equal(String(printed[0]), `${line}\n`);
}

test("two processes that count in one entry lose no count", async () => {
  const store = openSqliteStore(newPath());
  const counters = [spawnCounter(), spawnCounter()];
  await Promise.all(counters.map((counter) => says(counter, "ready")));
  for (const { stdin } of counters) stdin?.write("go\n");
  await Promise.all(counters.map((counter) => says(counter, "done")));
  assert.equal((await store.get("count"))?.value, "600");
  store.close();
});

test("what was committed is there after the process is killed", async () => {
  newPath();
  const counter = spawnCounter("--stay");
  const ended = once(counter, "exit");
  await says(counter, "ready");
  counter.stdin?.write("go\n");
  await says(counter, "done");
  counter.kill("SIGKILL");
  await ended;

  const again = openSqliteStore(path);
  assert.equal((await again.get("count"))?.value, "300");
  again.close();
});

test("the file and its journals are the owner's alone, also when the file was not", async () => {
  await writeFile(newPath(), "");
  await chmod(path, 0o644);
  for (const where of [path, newPath()]) {
    const store = openSqliteStore(where);
    await store.commit({ set: [{ key: "k", value: "1" }] });
    const names = (await readdir(directory)).filter((name) =>
      join(directory, name).startsWith(where)
    );
    assert.ok(names.length >= 2, "there is a journal beside the file");
    for (const name of names) {
      assert.equal((await stat(join(directory, name))).mode & 0o777, 0o600, name);
    }
    store.close();
  }
});

test("the file holds no token and no code in clear, used, revoked or live", async () => {
  const store = openSqliteStore(newPath());
  const tunnel = "default";
  const client = await createClientToken(store, { tunnel, name: "ci", tools: ["*"] });
  const revoked = await createTunnelToken(store, { tunnel, name: "old" });
  await revokeToken(store, revoked.token.id);
  const [used, live] = [await newJoinCode(store, { tunnel }), await newJoinCode(store, { tunnel })];
  const joined = await redeemJoinCode(store, { code: used.code, machine: "ada-laptop" });

  const names = (await readdir(directory)).filter((name) => join(directory, name).startsWith(path));
  const files = await Promise.all(names.map((name) => readFile(join(directory, name), "latin1")));
  const kept = files.join("").toLowerCase();
  assert.ok(kept.includes("ada-laptop"), "what is kept can be seen in the files");
  const secrets = [client.bearer, revoked.bearer, joined.bearer].map((one) => one.slice(-43));
  for (const { code } of [used, live]) secrets.push(code, code.replace("-", ""));
  for (const secret of secrets) assert.ok(!kept.includes(secret.toLowerCase()));
  store.close();
});

test("a change that fails halfway leaves nothing behind, and the store goes on", async () => {
  const store = openSqliteStore(newPath());
  const database = new DatabaseSync(path);
  database.exec(`CREATE TRIGGER no_boom BEFORE INSERT ON store WHEN NEW.key = 'boom'
    BEGIN SELECT RAISE(ABORT, 'boom'); END`);

  const halfway = { set: [{ key: "first", value: "1" }, { key: "boom", value: "1" }] };
  await assert.rejects(store.commit(halfway), { code: "store_unavailable" });
  assert.equal(await store.get("first"), undefined);
  assert.equal(await store.commit({ set: [{ key: "first", value: "2" }] }), true);
  database.close();
  store.close();
});

test("expired entries leave the file", async () => {
  let at = 0;
  const store = openSqliteStore(newPath(), { now: () => at });
  for (let n = 0; n < 7; n++) {
    const set = Array.from(
      { length: 100 },
      (_, i) => ({ key: `x/${n}/${i}`, value: "1", ttlMs: 1 }),
    );
    await store.commit({ set });
  }
  const database = new DatabaseSync(path);
  const rows = () => database.prepare("SELECT count(*) AS n FROM store").get()?.["n"];
  assert.equal(rows(), 700);

  for (const [minutes, left] of [[1, 201], [2, 1]] as const) {
    at = minutes * 60_000;
    await store.commit({ set: [{ key: "kept", value: "1" }] });
    assert.equal(rows(), left, `after ${minutes} min`);
  }
  database.close();
  store.close();
});

test("a file held by a writer for too long is an error, not a crash", async () => {
  const store = openSqliteStore(newPath());
  const writer = new DatabaseSync(path);
  writer.exec("BEGIN IMMEDIATE");

  await assert.rejects(store.commit({ set: [{ key: "k", value: "1" }] }), {
    code: "store_unavailable",
    message: /locked/,
  });
  assert.equal(await store.get("k"), undefined);
  writer.exec("ROLLBACK");
  assert.equal(await store.commit({ set: [{ key: "k", value: "1" }] }), true);
  writer.close();
  store.close();
});

test("openSqliteStore() says what is wrong with a place that cannot hold a store", async () => {
  await writeFile(
    newPath(),
    "this is not a database, and long enough to be seen as none".repeat(20),
  );
  const places = [path, directory, join(directory, "no", "such", "worker.db")];
  for (const place of places) {
    assert.throws(() => openSqliteStore(place), {
      name: "GatewayError",
      code: "store_unavailable",
      message: /^Cannot open the store: its file/,
    });
  }
});

test("a closed store refuses instead of losing data", async () => {
  const store = openSqliteStore(":memory:");
  store.close();
  await assert.rejects(store.commit({ set: [{ key: "k", value: "1" }] }), {
    code: "store_unavailable",
  });
});
