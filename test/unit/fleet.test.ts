import assert from "node:assert/strict";
import { test } from "node:test";
import { type Config, parseConfig, type ServerConfig } from "../../runner/config/config.ts";
import { Fleet, type Wanted } from "../../runner/fleet.ts";
import type { Launcher } from "../../runner/launch/launcher.ts";
import type { ManagedServer } from "../../runner/server/managed-server.ts";
import { GatewayError } from "../../src/errors.ts";
import { settled } from "../support/settled.ts";

/** A server that starts and ends when the test says so. */
interface FakeServer {
  readonly name: string;
  /** Its launch, as the fleet makes it. */
  launch(): Promise<unknown>;
  /** Ends its calls, so that a drain can end. */
  finish(): void;
  readonly events: readonly string[];
}

interface Bench {
  readonly fleet: Fleet;
  /** Every server that was made, in order. */
  readonly servers: readonly FakeServer[];
  /** Launchers that were closed, by name. */
  readonly closed: readonly string[];
  readonly launched: readonly string[];
  readonly kept: readonly string[];
  apply(text: string, more?: Partial<Wanted>): ReturnType<Fleet["apply"]>;
}

async function parse(servers: string): Promise<Config> {
  return await parseConfig(`version: 1\nservers:\n${servers}`, {
    file: "mcp-runner.yaml",
    cwd: "/home/ada",
    machine: { platform: "linux", home: "/home/ada", ours: [] },
  });
}

async function openBench(...texts: string[]): Promise<Bench> {
  const configs = new Map(
    await Promise.all(texts.map(async (text) => [text, await parse(text)] as const)),
  );
  const servers: FakeServer[] = [];
  const closed: string[] = [];
  const launched: string[] = [];
  const kept: string[] = [];
  const launcherOf = ({ config: { name } }: Wanted): Launcher => ({
    launch: () => {
      launched.push(name);
      return Promise.reject(new GatewayError("server_failed", "No process here"));
    },
    image: () => undefined,
    program: () => undefined,
    approve: () => Promise.resolve(),
    close: () => {
      closed.push(name);
      return Promise.resolve();
    },
  });
  const manage = ({ name }: ServerConfig, { launch }: Launcher): ManagedServer => {
    const events: string[] = [];
    let finish = (): void => {};
    const calls = new Promise<void>((resolve) => finish = resolve);
    servers.push({
      name,
      events,
      finish,
      launch: () => launch(() => {}).catch((error: unknown) => error),
    });
    const server: Partial<ManagedServer> = {
      name,
      drain: async () => {
        events.push("drain");
        await calls;
        events.push("gone");
      },
      stop: () => {
        events.push("stop");
        finish();
        return Promise.resolve();
      },
    };
    return server as ManagedServer;
  };
  const fleet = new Fleet({
    launcherOf,
    manage,
    redact: (text) => text,
    kept: (name) => void kept.push(name),
  });
  return {
    fleet,
    servers,
    closed,
    launched,
    kept,
    apply: (text, more) => {
      const config = configs.get(text) ?? assert.fail(`not opened with ${text}`);
      return fleet.apply(
        config.servers.map((one) => ({ config: one, written: one, surroundings: "", ...more })),
      );
    },
  };
}

const A = "  a: { source: image:a }\n";
const B = "  b: { source: image:b }\n";
const A2 = "  a: { source: image:a, args: [x] }\n";
const A_RULES = "  a: { source: image:a, tools: { allow: [echo] } }\n";
const A_RW = "  a: { source: image:a, volumes: [./data:/data:rw] }\n";
const A_RW2 = "  a: { source: image:a, volumes: [./data:/data:rw], args: [x] }\n";
const B_RW = "  b: { source: image:b, volumes: [./data:/data:rw] }\n";

test("what stays is the very same server, and what changed or went drains", async () => {
  const bench = await openBench(A + B, A2 + B, B);
  assert.deepEqual(bench.apply(A + B), { started: ["a", "b"], changed: [], removed: [] });
  const [a, b] = bench.servers;
  const kept = bench.fleet.servers.get("b")?.server;
  assert.deepEqual(bench.apply(A2 + B), { started: [], changed: ["a"], removed: [] });
  assert.equal(bench.fleet.servers.get("b")?.server, kept);
  assert.deepEqual([a?.events, b?.events], [["drain"], []]);
  assert.deepEqual(bench.apply(B), { started: [], changed: [], removed: ["a"] });
  assert.equal(bench.fleet.servers.get("b")?.server, kept);
  assert.equal(bench.servers.length, 3);
  assert.deepEqual(bench.servers[2]?.events, ["drain"]);
});

test("another rule changes what is allowed and ends nothing", async () => {
  const bench = await openBench(A, A_RULES);
  bench.apply(A);
  const { server } = bench.fleet.servers.get("a") ?? {};
  assert.deepEqual(bench.apply(A_RULES).changed, ["a"]);
  assert.equal(bench.fleet.servers.get("a")?.server, server);
  assert.deepEqual(bench.fleet.gatewayServers()[0]?.rules.tools.allow, ["echo"]);
});

test("a secret that was set anew starts its server anew", async () => {
  const bench = await openBench(A);
  bench.apply(A);
  assert.deepEqual(bench.apply(A, { surroundings: "2" }).changed, ["a"]);
  assert.deepEqual(bench.servers.map(({ events }) => events), [["drain"], []]);
});

test("a replaced server is closed once its calls have ended, not before", async () => {
  const bench = await openBench(A, A2);
  bench.apply(A);
  bench.apply(A2);
  await settled();
  assert.deepEqual(bench.closed, []);
  bench.servers[0]?.finish();
  await settled();
  assert.deepEqual(bench.closed, ["a"]);
});

test("one that writes where its predecessor writes waits for its end; others do not", async () => {
  const bench = await openBench(A_RW, A_RW2, A2);
  bench.apply(A_RW);
  bench.apply(A_RW2);
  void bench.servers[1]?.launch();
  await settled();
  assert.deepEqual(bench.launched, []);
  bench.servers[0]?.finish();
  await settled();
  assert.deepEqual(bench.launched, ["a"]);
  bench.apply(A2);
  void bench.servers[2]?.launch();
  await settled();
  assert.deepEqual(bench.launched, ["a", "a"]);
});

for (
  const [why, ...steps] of [
    ["was removed and added again", A_RW, B, A_RW],
    ["got another name", A_RW, B_RW],
    ["had no files for a while", A_RW, A, A_RW],
  ] as const
) {
  test(`one that ${why} waits for who still writes to its files`, async () => {
    const bench = await openBench(...steps);
    for (const step of steps) bench.apply(step);
    void bench.servers.at(-1)?.launch();
    await settled();
    assert.deepEqual(bench.launched, []);
    bench.servers[0]?.finish();
    await settled();
    assert.equal(bench.launched.length, 1);
  });
}

test("one that was replaced while it waited is not started any more", async () => {
  const bench = await openBench(A_RW, A_RW2, A2);
  bench.apply(A_RW);
  bench.apply(A_RW2);
  const launch = bench.servers[1]?.launch();
  bench.apply(A2);
  bench.servers[0]?.finish();
  assert.match(String(await launch), /it is being stopped/);
  assert.deepEqual(bench.launched, []);
});

const FAULT = new GatewayError("config_invalid", "The catalog cannot be read");

test("a catalog that cannot be read for a while ends nothing that it described", async () => {
  const bench = await openBench(A);
  bench.apply(A);
  const { server } = bench.fleet.servers.get("a") ?? {};
  assert.deepEqual(bench.apply(A, { fault: FAULT }), { started: [], changed: [], removed: [] });
  assert.equal(bench.fleet.servers.get("a")?.server, server);
  assert.deepEqual(bench.kept, ["a"]);
  assert.deepEqual(bench.apply(A).changed, []);
  assert.deepEqual(bench.servers[0]?.events, []);
});

test("a server that was changed to what cannot be used is replaced, and comes back", async () => {
  const bench = await openBench(A, A2);
  bench.apply(A);
  assert.deepEqual(bench.apply(A2, { fault: FAULT }).changed, ["a"]);
  assert.deepEqual(bench.kept, []);
  assert.deepEqual(bench.apply(A2).changed, ["a"]);
});

test("stop() waits for nobody's calls, leaves nothing, and nothing comes after it", async () => {
  const bench = await openBench(A, A2, B);
  bench.apply(A);
  bench.apply(A2);
  await bench.fleet.stop();
  assert.deepEqual(bench.servers.map(({ events }) => events), [["drain", "stop", "gone"], [
    "stop",
  ]]);
  assert.deepEqual(bench.closed.toSorted(), ["a", "a"]);
  assert.deepEqual(bench.apply(B), { started: [], changed: [], removed: [] });
  assert.equal(bench.servers.length, 2);
});
