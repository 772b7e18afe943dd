/**
 * The life of a server's way out: what is made for it in the engine, and that it goes away.
 *
 * @module
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { afterEach, test } from "node:test";
import { createEgress, type Egress } from "../../runner/egress/egress.ts";
import { OWNER_LABEL } from "../../runner/docker/label.ts";
import { reap } from "../../runner/docker/reaper.ts";
import type { EgressEvent } from "../../runner/journal/event.ts";
import { assertNothingLeft, containersOf, linesOf, until, useEngine } from "../support/engine.ts";
import { runProbe, startOutside } from "../support/egress.ts";
import { type FakeClock, fakeClock } from "../support/fake-clock.ts";

const { docker, skip } = await useEngine();
const story = (name: string, run: () => Promise<void>) =>
  void test(name, { skip, timeout: 60_000 }, run);
const outside = skip === false ? await startOutside(docker) : undefined;
const { address = "", echo = 0 } = outside ?? {};

const open: Egress[] = [];
afterEach(() => Promise.all(open.splice(0).map((egress) => egress.close())));

function egressOf(clock: FakeClock, events: EgressEvent[] = []): Egress {
  const egress = createEgress({
    engine: docker.engine,
    server: "life",
    owner: docker.owner,
    targets: [{ host: "allowed.example", port: echo }],
    extraHosts: [{ host: "allowed.example", address }],
    clock,
    log: () => {},
    blocked: (event) => events.push(event),
  });
  open.push(egress);
  return egress;
}

const networksOf = async (owner: string) => {
  const filters = { label: [`${OWNER_LABEL}=${owner}`] };
  return (await docker.engine.docker.listNetworks({ filters })).map(({ Name }) => Name);
};

story("two leases at a time share one proxy, which goes ten seconds after the last", async () => {
  const clock = fakeClock();
  const egress = egressOf(clock);
  const [first, second] = await Promise.all([egress.lease(() => {}), egress.lease(() => {})]);
  assert.deepEqual(first.network, second.network);
  const [proxy] = await containersOf(docker.engine, docker.owner);
  assert.equal((await containersOf(docker.engine, docker.owner)).length, 1);
  assert.equal((await networksOf(docker.owner)).length, 2);

  first.release();
  first.release();
  clock.advance(60_000);
  second.release();
  clock.advance(9_000);
  const third = await egress.lease(() => {});
  assert.deepEqual(await containersOf(docker.engine, docker.owner), [proxy]);
  assert.deepEqual(third.network, first.network);

  third.release();
  clock.advance(10_000);
  await until(
    "nothing is left",
    async () =>
      (await containersOf(docker.engine, docker.owner)).length === 0 &&
      (await networksOf(docker.owner)).length === 0,
  );
});

story("close() removes everything at once, also under a server that still runs", async () => {
  const egress = egressOf(fakeClock());
  const { network } = await egress.lease(() => {});
  const server = await docker.runScript("process.stdin.resume()", { network });
  await egress.close();
  assert.deepEqual(await containersOf(docker.engine, docker.owner), [server.id]);
  assert.deepEqual(await networksOf(docker.owner), []);
  await server.stop(0);
});

story(
  "a proxy that has died is made anew by the next lease, for servers that still run too",
  async () => {
    const egress = egressOf(fakeClock());
    const { network } = await egress.lease(() => {});
    const server = await docker.runScript(
      `process.stdin.on("data", () => {
      const socket = require("node:net").connect(${echo}, "allowed.example", () => socket.write("ping"));
      socket.on("data", (chunk) => { console.log(String(chunk)); socket.destroy(); });
      socket.on("error", (error) => console.log(error.code));
    });`,
      { network },
    );
    const next = linesOf((listener) => server.onLine(listener));
    server.write("go");
    assert.equal(await next(), "ping");

    const proxies = { label: [`${OWNER_LABEL}=${docker.owner}`, "dev.mcp-runner.role=egress"] };
    const [proxy] = await docker.engine.docker.listContainers({ filters: proxies });
    await docker.engine.docker.getContainer(proxy?.Id ?? "").remove({ force: true });
    await until("the proxy is made anew", async () => {
      const again = await egress.lease(() => {});
      again.release();
      const found = await docker.engine.docker.listContainers({ filters: proxies });
      return found.length === 1 && found[0]?.Id !== proxy?.Id &&
        again.network.name === network.name;
    });
    server.write("go");
    assert.equal(await next(), "ping");
    await server.stop(0);
    await egress.close();
  },
);

/** Ends the proxy by force and waits until its container has gone. */
async function killProxy(): Promise<void> {
  const [proxy = ""] = await proxies();
  await docker.engine.docker.getContainer(proxy).remove({ force: true });
  await until("it has gone", async () => !(await proxies()).includes(proxy));
}

async function proxies(): Promise<string[]> {
  const label = [`${OWNER_LABEL}=${docker.owner}`, "dev.mcp-runner.role=egress"];
  const found = await docker.engine.docker.listContainers({ all: true, filters: { label } });
  return found.map(({ Id }) => Id);
}

story("a proxy that dies while a process has the lease is made anew by itself", async () => {
  const clock = fakeClock();
  const egress = egressOf(clock);
  const lease = await egress.lease(() => {});
  for (const pause of [1_000, 2_000]) {
    await killProxy();
    await until("another one is there", async () => {
      clock.advance(pause);
      return (await proxies()).length === 1;
    });
  }
  lease.release();
  await egress.close();
  assert.equal(clock.pending, 0);
});

story("a proxy that dies when no process has a lease stays away", async () => {
  const clock = fakeClock();
  const egress = egressOf(clock);
  (await egress.lease(() => {})).release();
  await killProxy();
  clock.advance(9_000);
  assert.deepEqual(await proxies(), []);
  assert.equal(clock.pending, 1);
});

story("networks that somebody removed are made anew", async () => {
  const egress = egressOf(fakeClock());
  await egress.lease(() => {});
  await killProxy();
  for (const name of await networksOf(docker.owner)) {
    await docker.engine.docker.getNetwork(name).remove();
  }
  await until("the proxy's end is known", async () => {
    await egress.lease(() => {});
    return (await proxies()).length === 1;
  });
  assert.equal((await networksOf(docker.owner)).length, 2);
});

story("the proxy has no more rights than a server, and ports below 1024", async () => {
  const egress = egressOf(fakeClock());
  await egress.lease(() => {});
  const [id = ""] = await containersOf(docker.engine, docker.owner);
  const { Config, HostConfig } = await docker.engine.docker.getContainer(id).inspect();
  assert.partialDeepStrictEqual(HostConfig, {
    ReadonlyRootfs: true,
    CapDrop: ["ALL"],
    SecurityOpt: ["no-new-privileges:true"],
    PidsLimit: 64,
    Memory: 64 * 1024 ** 2,
    MemorySwap: 64 * 1024 ** 2,
    AutoRemove: true,
    Privileged: false,
    Sysctls: { "net.ipv4.ip_unprivileged_port_start": "0", "net.ipv4.ip_forward": "0" },
    LogConfig: { Type: "none" },
  });
  assert.equal(HostConfig.Tmpfs, undefined);
  assert.equal(Config.User, "65532:65532");
  assert.equal(Config.StdinOnce, true);
});

story("what is refused many times is told once, and a minute later by its number", async () => {
  const clock = fakeClock();
  const events: EgressEvent[] = [];
  const egress = egressOf(clock, events);
  const { network } = await egress.lease(() => {});
  const found = await runProbe(
    docker,
    `
    const socket = require("node:dgram").createSocket("udp4");
    const label = "denied\\x1b[31m";
    const query = Buffer.concat([Buffer.from([0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, label.length]),
      Buffer.from(label), Buffer.from([0, 0, 1, 0, 1])]);
    for (let i = 0; i < 50; i++) {
      socket.send(query, 53, "${network.dns[0]}");
      await require("node:events").once(socket, "message");
    }
    socket.close();
    print("done");
  `,
    network,
  );
  assert.equal(found, "done");
  // The answers may have overtaken what the proxy tells.
  await until("it is told", () => events.length === 1);
  await until("all are counted", () => {
    clock.advance(60_000);
    return events.reduce((sum, { count }) => sum + count, 0) === 50;
  });
  assert.deepEqual(new Set(events.map(({ host }) => host)), new Set(["denied\\x1b[31m"]));
  assert.equal(events[0]?.count, 1);
});

story("256 connections fit into the memory of the proxy, and the next is refused", async () => {
  const events: EgressEvent[] = [];
  const egress = egressOf(fakeClock(), events);
  const { network } = await egress.lease(() => {});
  const found = await runProbe(
    docker,
    `
    const sockets = [];
    const open = () => new Promise((resolve) => {
      const socket = net.connect(${echo}, "allowed.example");
      sockets.push(socket);
      let got = 0;
      // Writes as much as fits and reads nothing, so that all buffers on the way are full.
      socket.on("connect", () => {
        socket.write("x");
        socket.once("data", () => { socket.pause(); socket.write(Buffer.alloc(1 << 20)); resolve("open"); });
      });
      socket.on("error", (error) => resolve(error.code));
    });
    const results = [];
    for (let i = 0; i < 257; i++) results.push(await open());
    await new Promise((resolve) => setTimeout(resolve, 1000));
    print([results.filter((result) => result === "open").length, results.at(-1)]);
  `,
    network,
  );
  assert.deepEqual(found, [256, "ECONNRESET"]);
  await until("it is told", () => events.length > 0);
  assert.deepEqual(events.map(({ reason }) => reason), ["is one connection too many"]);
  assert.equal((await containersOf(docker.engine, docker.owner)).length, 1);
});

story(
  "a runner that is killed leaves no proxy, and its networks go at the next start",
  async () => {
    const owner = `${docker.owner}-killed`;
    const root = join(import.meta.dirname, "../..");
    const script = `
    import { connectEngine } from "${root}/runner/docker/engine.ts";
    import { createEgress } from "${root}/runner/egress/egress.ts";
    import { systemClock } from "${root}/src/clock.ts";
    await createEgress({ engine: await connectEngine(), server: "killed", owner: "${owner}",
      targets: [{ host: "allowed.example", port: 443 }], extraHosts: [], clock: systemClock,
      log: () => {}, blocked: () => {} }).lease(() => {});
    console.log("up");
    setInterval(() => {}, 1000);`;
    const child = spawn(process.execPath, ["--input-type=module", "-e", script], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    await Promise.race([
      once(child.stdout, "data"),
      once(child, "exit").then(() => assert.fail("The runner ended early")),
    ]);
    assert.equal((await containersOf(docker.engine, owner)).length, 1);
    child.kill("SIGKILL");
    await until(
      "the proxy has gone",
      async () => (await containersOf(docker.engine, owner)).length === 0,
    );
    assert.equal((await networksOf(owner)).length, 2);
    await reap(docker.engine, {
      isAlive: async (other) => other !== owner,
    });
    await assertNothingLeft(docker.engine, owner);
  },
);
