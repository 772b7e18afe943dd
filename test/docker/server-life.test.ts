/** The life of a server whose processes are real containers. */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { DEFAULT_LIFE, type Life } from "../../runner/config/life.ts";
import { startContainer } from "../../runner/docker/container.ts";
import { NO_JOURNAL } from "../../runner/journal/journal.ts";
import { briefMemory } from "../../runner/server/era.ts";
import { manageServer } from "../../runner/server/managed.ts";
import type { ManagedServer } from "../../runner/server/managed-server.ts";
import { systemClock } from "../../src/clock.ts";
import { containersOf, until, useEngine } from "../support/engine.ts";
import { eventually } from "../support/eventually.ts";
import { begin } from "../support/exchange.ts";

const { docker, skip } = await useEngine();
const story = (name: string, run: () => Promise<void>) =>
  void test(name, { skip, timeout: 120_000 }, run);

const MIB = 1024 ** 2;

/** A legacy server that counts its calls; some tools answer in a way of their own. */
const COUNTER = `
  let calls = 0;
  const say = (id, result) => console.log(JSON.stringify({ jsonrpc: "2.0", id, result }));
  const tools = ["count", "hang", "hog"].map((name) => ({ name, inputSchema: { type: "object" } }));
  require("node:readline").createInterface({ input: process.stdin }).on("line", (line) => {
    const { id, method, params } = JSON.parse(line);
    if (method === "initialize") {
      say(id, { protocolVersion: "2025-11-25", capabilities: { tools: {} }, serverInfo: { name: "counter", version: "1" } });
    } else if (method === "tools/list") say(id, { tools });
    else if (method !== "tools/call") return;
    else if (params.name === "count") say(id, { content: [], host: require("node:os").hostname(), calls: ++calls });
    else if (params.name === "hog") for (const kept = [];;) kept.push(Buffer.alloc(${MIB}, 1));
  });
`;

const servers: ManagedServer[] = [];
after(() => Promise.all(servers.map((server) => server.stop())));

function open(life: Partial<Life>): ManagedServer {
  const server = manageServer({
    name: "counter",
    life: { ...DEFAULT_LIFE, ...life },
    clock: systemClock,
    log: () => {},
    journal: NO_JOURNAL,
    changed: () => {},
    eraMemory: briefMemory("legacy"),
    launch: async () =>
      await startContainer(
        docker.engine,
        await docker.scriptSpec(COUNTER, {
          limits: { memoryBytes: 64 * MIB, cpuCores: 1, pids: 64 },
        }),
      ),
  });
  servers.push(server);
  return server;
}

/** How a call ended. */
async function call(server: ManagedServer, name = "count", client = "ada"): Promise<string> {
  const { events, failures } = begin(server, { params: JSON.stringify({ name }), client });
  return await eventually("the call ends", async () => {
    const last = events.at(-1) ?? "";
    return /^(result|error|failed)/.test(last) ? [last, ...failures].join(" ") : undefined;
  }, 30_000);
}

async function count(server: ManagedServer, client = "ada") {
  const answer = await call(server, "count", client);
  assert.match(answer, /^result /);
  return JSON.parse(answer.slice("result ".length)) as { host: string; calls: number };
}

story(
  "with lifetime call each call has a container of its own, which is gone after it",
  async () => {
    const server = open({ lifetime: "call", idleMs: 100 });
    const [first, second] = [await count(server), await count(server)];
    assert.deepEqual([first.calls, second.calls], [1, 1]);
    assert.notEqual(first.host, second.host);
    await until("all containers are gone", () => server.processes === 0);
    assert.deepEqual(server.containers, []);
  },
);

story("with lifetime client a client finds its state again, and nobody else does", async () => {
  const server = open({ lifetime: "client" });
  const ada = await count(server, "ada");
  const bob = await count(server, "bob");
  assert.notEqual(ada.host, bob.host);
  assert.deepEqual(await count(server, "ada"), { ...ada, calls: 2 });
  assert.deepEqual(await count(server, "bob"), { ...bob, calls: 2 });
  await server.stop();
});

story(
  "a container that is killed under a call ends the call, and the next one has a new container",
  async () => {
    const server = open({});
    const { host } = await count(server);
    const hanging = call(server, "hang");
    await until("the call is written", () => server.state === "ready");
    const id = server.containers.find((each) => each.startsWith(host)) ?? "";
    const killedAt = Date.now();
    await docker.engine.docker.getContainer(id).kill();
    assert.match(
      await hanging,
      /^failed server_crashed unknown .*its container was ended from outside/,
    );
    assert.ok(Date.now() - killedAt < 5_000);
    const next = await count(server);
    assert.notEqual(next.host, host);
    assert.equal(next.calls, 1);
    await server.stop();
  },
);

story("a server that runs out of memory says so to its caller", async () => {
  const server = open({});
  assert.match(await call(server, "hog"), /^failed server_crashed .*it ran out of memory/);
  assert.equal((await count(server)).calls, 1);
  await server.stop();
});

story(
  "without a call its containers end, it still lists, and the next call starts it",
  async () => {
    const server = open({ idleMs: 200 });
    await count(server);
    await until("it is cold", () => server.state === "cold");
    assert.equal(server.lists?.tools.length, 3);
    assert.equal((await count(server)).calls, 1);
    await server.stop();
    assert.equal(server.processes, 0);
  },
);

story("nothing is left of servers that were stopped", async () => {
  await Promise.all(servers.map((server) => server.stop()));
  assert.deepEqual(await containersOf(docker.engine, docker.owner), []);
});
