import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { type Config, parseConfig } from "../../runner/config/config.ts";
import { followConfig } from "../../runner/reload/reload.ts";
import type { Runner } from "../../runner/runner.ts";
import { GatewayError } from "../../src/errors.ts";
import { eventually } from "../support/eventually.ts";
import { fakeClock } from "../support/fake-clock.ts";

async function openBench(t: TestContext, load: () => Promise<Config>) {
  const home = await mkdtemp(join(tmpdir(), "mcp-runner-reload-"));
  t.after(() => rm(home, { recursive: true }));
  const seen = { applied: 0, retried: 0, log: [] as string[] };
  const runner: Partial<Runner> = {
    apply: () => {
      seen.applied++;
      return Promise.resolve({ started: [], changed: [], removed: [] });
    },
    retry: () => void seen.retried++,
  };
  const clock = fakeClock();
  const path = join(home, "mcp-runner.yaml");
  const reload = await followConfig({
    runner: runner as Runner,
    path,
    load,
    home,
    secretsPath: join(home, "secrets.json"),
    clock,
    log: (_level, message) => void seen.log.push(message),
    journal: { write: () => {}, close: async () => {} },
  });
  t.after(() => reload.stop());
  // A config that is not there may have been removed since it was read.
  await reload.now();
  return { home, path, seen, reload, clock };
}

async function config(): Promise<Config> {
  return await parseConfig("version: 1\nservers: {}\n", {
    file: "mcp-runner.yaml",
    cwd: "/work",
    machine: { platform: "linux", home: "/home/ada", ours: [] },
  });
}

test("however often it is told to, the config is read once more at most", async (t) => {
  let loads = 0;
  const { reload, seen } = await openBench(t, async () => {
    loads++;
    return await config();
  });
  const before = loads;
  await Promise.all(Array.from({ length: 1_000 }, () => reload.now()));
  assert.ok(loads - before <= 2, `${loads - before} times`);
  assert.ok(seen.applied > 0);
});

test("what is wrong is told line by line, once", async (t) => {
  const { reload, seen } = await openBench(
    t,
    () => Promise.reject(new GatewayError("config_invalid", "Cannot use it:\nline 3 is wrong")),
  );
  await reload.now();
  assert.deepEqual(seen.log, [
    "Cannot use it:",
    "line 3 is wrong",
    "The servers go on as they were",
  ]);
  assert.equal(reload.problem, "Cannot use it:\nline 3 is wrong");
});

test("a secret or a login that was brought is tried, and nothing is after the end", async (t) => {
  const { reload, seen, home, clock } = await openBench(t, config);
  const after = async (change: () => Promise<void>) => {
    const { retried } = seen;
    await change();
    await eventually("it is tried again", async () => {
      clock.advance(100);
      return seen.retried > retried || undefined;
    });
  };
  await after(() => writeFile(join(home, "secrets.json"), "{}"));
  await after(() => writeFile(join(home, "approvals.json"), "{}"));
  reload.stop();
  const { applied } = seen;
  await reload.now();
  assert.equal(seen.applied, applied);
});
