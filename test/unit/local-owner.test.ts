import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { mkdir, mkdtemp, readdir, rm, stat, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import {
  askOwners,
  claimOwner,
  forgetDeadOwners,
  isAlive,
  livesHere,
} from "../../runner/local/owner.ts";
import { runningRunners } from "../../runner/running.ts";

const posixOnly = { skip: process.platform === "win32" ? "sockets that are files" : false };

let folder = "";
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "mcp-runner-owner-"));
});
after(() => rm(folder, { recursive: true, force: true }));

/** An empty state directory. */
function newHome(): Promise<string> {
  return mkdtemp(join(folder, "home-"));
}

test("an owner is alive from its claim on, for every process that asks", posixOnly, async () => {
  const home = await newHome();
  const one = await claimOwner(home);
  const two = await claimOwner(home);
  assert.notEqual(one.id, two.id);
  assert.deepEqual(await Promise.all([one, two].map(({ id }) => isAlive(home, id))), [true, true]);
  assert.deepEqual(
    (await readdir(home)).toSorted(),
    [`${one.id}.sock`, `${two.id}.sock`].toSorted(),
  );
  assert.equal((await stat(join(home, `${one.id}.sock`))).mode & 0o777, 0o600);

  assert.equal(await forgetDeadOwners(home), 0);
  await one.close();
  assert.deepEqual(await readdir(home), [`${two.id}.sock`]);
  assert.equal(await isAlive(home, two.id), true);
  await two.close();
});

test(
  "an owner that was killed is dead, and stays so until it is forgotten",
  posixOnly,
  async () => {
    const home = await newHome();
    const { child, owner } = await startOwner(home);
    assert.equal(await isAlive(home, owner), true);
    assert.equal(await livesHere(home, owner), true);
    assert.equal(await forgetDeadOwners(home), 0);

    child.kill("SIGKILL");
    await once(child, "exit");
    assert.equal(await isAlive(home, owner), false);
    assert.equal(await livesHere(home, owner), false);
    assert.deepEqual(await readdir(home), [`${owner}.sock`]);
    assert.equal(await forgetDeadOwners(home), 1);
    assert.deepEqual(await readdir(home), []);
    assert.equal(await livesHere(home, owner), false);
  },
);

test("a process that is stopped is not dead", posixOnly, async () => {
  const home = await newHome();
  const { child, owner } = await startOwner(home);
  assert.ok(child.pid !== undefined);
  // Not child.kill(), after which Deno takes a stopped process for an ended one.
  process.kill(child.pid, "SIGSTOP");
  assert.equal(await isAlive(home, owner), true);
  child.kill("SIGKILL");
  await once(child, "exit");
  assert.equal(await isAlive(home, owner), false);
});

test("the owner of another state directory is left alone", posixOnly, async () => {
  const [here, there] = [await newHome(), await newHome()];
  const owner = await claimOwner(there);
  assert.equal(await isAlive(here, owner.id), true);
  await owner.close();
});

test("what is no owner id is dead, and opens no file", async () => {
  const home = await newHome();
  for (
    const owner of ["", "..", "../../etc/passwd", randomUUID().toUpperCase(), `${randomUUID()}/x`]
  ) {
    assert.equal(await isAlive(home, owner), false);
  }
});

test("a file in the place of a socket is dead", posixOnly, async () => {
  const home = await newHome();
  const owner = randomUUID();
  await writeFile(join(home, `${owner}.sock`), "");
  await writeFile(join(home, "notes.sock"), "");
  assert.equal(await isAlive(home, owner), false);
  assert.equal(await forgetDeadOwners(home), 1);
  assert.deepEqual(await readdir(home), ["notes.sock"]);
});

test("a state directory may be deeper than a socket's path can be long", posixOnly, async () => {
  const home = join(await newHome(), "d".repeat(100), "é".repeat(60));
  await mkdir(home, { recursive: true });
  const before = await links();
  const { child, owner } = await startOwner(home);
  assert.deepEqual(await readdir(home), [`${owner}.sock`]);
  assert.equal(await isAlive(home, owner), true);
  child.kill("SIGKILL");
  await once(child, "exit");
  assert.equal(await isAlive(home, owner), false);
  assert.equal(await forgetDeadOwners(home), 1);
  assert.deepEqual(await links(), before);
});

/** The links of the temporary directory that lead to state directories. */
async function links(): Promise<string[]> {
  const entries = await readdir(tmpdir(), { withFileTypes: true });
  return entries.filter((entry) => entry.isSymbolicLink()).map(({ name }) => name).toSorted();
}

/** Starts a process that claims an owner and then does nothing until it is killed. */
async function startOwner(home: string): Promise<{ child: ChildProcess; owner: string }> {
  const module = new URL("../../runner/local/owner.ts", import.meta.url).href;
  const program = join(folder, "owner.mjs");
  await writeFile(
    program,
    `const { claimOwner } = await import(${JSON.stringify(module)});
     const owner = await claimOwner(process.argv[2]);
     process.stdout.write(owner.id);
     setInterval(() => {}, 1_000_000);`,
  );
  const config = fileURLToPath(new URL("../../deno.json", import.meta.url));
  const deno = ["run", "--allow-all", "--no-check", "--config", config];
  const args = process.versions["deno"] === undefined ? [] : deno;
  const child = spawn(process.execPath, [...args, program, home], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  for await (const chunk of child.stdout) return { child, owner: String(chunk) };
  throw new Error("The process ended without an owner");
}

test("who asks an owner cannot end it, nor keep it from ending", posixOnly, async () => {
  const home = await newHome();
  let fails = true;
  const owner = await claimOwner(home, () => {
    if (fails) throw new Error("not now");
    return "x".repeat(3 * 1024 * 1024);
  });
  assert.deepEqual(await askOwners(home), []);
  assert.equal(await isAlive(home, owner.id), true);
  fails = false;
  assert.equal((await askOwners(home))[0]?.length, 3 * 1024 * 1024);
  const reader = connect(join(home, `${owner.id}.sock`));
  reader.on("error", () => {});
  await once(reader, "connect");
  // It reads nothing of what it is sent.
  await owner.close();
  reader.destroy();
  assert.deepEqual(await readdir(home), []);
});

test("a runner of another version is known to serve its config", posixOnly, async () => {
  const home = await newHome();
  const texts = [
    JSON.stringify({ pid: 7, config: "/a.yaml", origin: "https://w.example", servers: "later" }),
    JSON.stringify({ pid: 8 }),
    "[]",
    '{"pid":9,',
  ];
  const owners = await Promise.all(texts.map((text) => claimOwner(home, () => text)));
  const [found, ...others] = await runningRunners(home);
  assert.deepEqual([found?.pid, found?.config, found?.status], [7, "/a.yaml", undefined]);
  assert.deepEqual(others, []);
  await Promise.all(owners.map((owner) => owner.close()));
});
