import assert from "node:assert/strict";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { parseConfig } from "../../runner/config/config.ts";
import { AGAIN_MS, createRunner, type RunnerOptions } from "../../runner/runner.ts";
import { runningRunners } from "../../runner/running.ts";
import { systemClock } from "../../src/clock.ts";
import { eventually } from "../support/eventually.ts";
import { fakeClock } from "../support/fake-clock.ts";

const REMOTE = 'version: 1\nservers:\n  a: { source: "http://127.0.0.1:9/mcp" }\n';
const OTHER = 'version: 1\nservers:\n  b: { source: "http://127.0.0.1:9/mcp" }\n';
const CONTAINED = "version: 1\nservers:\n  a: { source: image:a }\n";

async function parse(text: string, folder: string) {
  return await parseConfig(text, {
    file: "mcp-runner.yaml",
    cwd: folder,
    machine: { platform: "linux", home: folder, ours: [] },
  });
}

async function options(t: TestContext, text: string): Promise<RunnerOptions> {
  const home = await mkdtemp(join(tmpdir(), "mcp-runner-life-"));
  t.after(() => rm(home, { recursive: true, force: true }));
  return {
    config: await parse(text, home),
    home,
    env: { DOCKER_HOST: `unix://${join(home, "nobody.sock")}` },
    clock: systemClock,
    log: () => {},
    changed: () => {},
  };
}

async function sockets(home: string): Promise<readonly string[]> {
  return (await readdir(home)).filter((name) => /-.*\.sock$/.test(name));
}

test("a runner that finds no engine leaves no claim behind", async (t) => {
  const given = await options(t, CONTAINED);
  await assert.rejects(createRunner(given), { code: "engine_unavailable" });
  assert.deepEqual(await sockets(given.home), []);
});

for (const [place, id] of [["journal", "id"], ["tasks", "id"], ["mcp-runner.lock", undefined]]) {
  test(`a runner that cannot use ${place} leaves no claim behind, or starts all the same`, async (t) => {
    const given = await options(t, REMOTE);
    await writeFile(join(given.home, place ?? ""), "something else");
    await createRunner({ ...given, ...(id !== undefined && { id }) })
      .then((runner) => runner.stop(), () => {});
    assert.deepEqual(await sockets(given.home), []);
  });
}

test("a runner says what it is while it runs, and nothing once it has stopped", async (t) => {
  const given = await options(t, REMOTE);
  const runner = await createRunner({ ...given, origin: "https://worker.example" });
  const [found] = await runningRunners(given.home);
  assert.equal(found?.pid, process.pid);
  assert.equal(found?.status?.servers[0]?.name, "a");
  await Promise.all([runner.stop(), runner.stop()]);
  assert.deepEqual(await runningRunners(given.home), []);
  assert.deepEqual(await sockets(given.home), []);
});

test("changes are applied in their order, however long each takes to be read", async (t) => {
  const given = await options(t, REMOTE);
  const runner = await createRunner(given);
  t.after(() => runner.stop());
  const [first, second] = [await parse(OTHER, given.home), await parse(REMOTE, given.home)];
  await Promise.all([runner.apply(first), runner.apply(second), runner.apply(first)]);
  assert.deepEqual([...runner.servers.keys()], ["b"]);
});

test("a change that is read while the runner stops starts nothing", async (t) => {
  const given = await options(t, REMOTE);
  const runner = await createRunner(given);
  const applying = runner.apply(await parse(OTHER, given.home));
  await runner.stop();
  assert.deepEqual(await applying, { started: [], changed: [], removed: [] });
  assert.deepEqual([...runner.servers.keys()], ["a"]);
});

test("a server whose catalog could not be read is looked up again, and then kept", async (t) => {
  const clock = fakeClock();
  const given = { ...await options(t, REMOTE), clock };
  const runner = await createRunner(given);
  t.after(() => runner.stop());
  const catalog = join(given.home, "catalog.yaml");
  const config = await parse(
    'version: 1\ncatalogs: [./catalog.yaml]\nservers:\n  a: { source: "docker:notes", allowPrivate: true }\n',
    given.home,
  );
  await runner.apply(config);
  const kind = () => runner.servers.get("a")?.config.source.kind;
  assert.equal(kind(), "docker");
  await writeFile(
    catalog,
    "registry:\n  notes:\n    type: remote\n    remote: { url: https://127.0.0.1:9/mcp, transport_type: streamable-http }\n",
  );
  clock.advance(AGAIN_MS);
  await eventually("it is as described", async () => kind() === "http" || undefined);
  const { server } = runner.servers.get("a") ?? {};
  await rm(catalog);
  assert.deepEqual(await runner.apply(config), { started: [], changed: [], removed: [] });
  assert.equal(runner.servers.get("a")?.server, server);
});

test("of two runners that begin at once for the same worker, one goes on", async (t) => {
  const given = { ...await options(t, REMOTE), origin: "https://worker.example" };
  const begun = await Promise.allSettled(
    Array.from({ length: 5 }, async () => await createRunner(given)),
  );
  const runners = begun.flatMap((one) => one.status === "fulfilled" ? [one.value] : []);
  assert.equal(runners.length, 1);
  const elsewhere = await createRunner({ ...given, origin: "https://other.example" });
  await assert.rejects(createRunner(given), { code: "usage", message: /does so already/ });
  await Promise.all([...runners, elsewhere].map((runner) => runner.stop()));
  assert.deepEqual(await sockets(given.home), []);
});
