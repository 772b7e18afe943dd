/**
 * Containers and engines that misbehave while a server starts or runs.
 *
 * @module
 */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { after, test, type TestContext } from "node:test";
import { startContainer } from "../../runner/docker/container.ts";
import { connectEngine, type Engine } from "../../runner/docker/engine.ts";
import { OWNER_LABEL } from "../../runner/docker/label.ts";
import { reap } from "../../runner/docker/reaper.ts";
import { describeExit } from "../../runner/server/process.ts";
import { assertNothingLeft, linesOf, useEngine } from "../support/engine.ts";

const { docker, skip } = await useEngine();
const story = (name: string, run: (t: TestContext) => Promise<void>) =>
  void test(name, { skip, timeout: 60_000 }, run);

const MIB = 1024 ** 2;

story("a server that hangs at its memory limit is ended, and the limit is named", async (t) => {
  const limits = { memoryBytes: 64 * MIB, cpuCores: 1, pids: 64 };
  const container = await docker.runScript(
    `const kept = [];
     console.log("ready");
     process.stdin.once("data", () => { for (;;) kept.push(Buffer.alloc(${MIB}, 1)) })`,
    { limits },
  );
  const next = linesOf((listener) => container.onLine(listener));
  await next();
  try {
    // As the kernel sometimes does by itself: the group stays at its limit and nothing is killed.
    await writeFile(`/sys/fs/cgroup/memory/docker/${container.id}/memory.oom_control`, "1");
  } catch {
    await container.stop(0);
    return t.skip("needs cgroup v1, and root");
  }
  container.write("go");
  const exit = await container.exited;
  assert.equal(exit.reason, "memory");
  assert.equal(
    describeExit(exit),
    "it ran out of memory (limit 64m), raise limits.memory in mcp-runner.yaml",
  );
});

/** The real engine behind a TCP port, which breaks off for good at the first request like `fatal`. */
async function engineThatGoes(fatal: RegExp): Promise<Engine> {
  const path = docker.engine.socketPath ?? "";
  const sockets = new Set<Socket>();
  const cut = () => {
    server.close();
    for (const socket of sockets) socket.destroy();
  };
  const server = createServer({ allowHalfOpen: true }, (client) => {
    const engine = connect({ path, allowHalfOpen: true });
    for (const socket of [client, engine]) {
      sockets.add(socket);
      socket.on("error", () => {});
    }
    client.on("data", (chunk) => {
      if (fatal.test(chunk.toString("latin1"))) cut();
      else engine.write(chunk);
    });
    client.on("end", () => engine.end());
    engine.pipe(client);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  after(cut);
  const { port } = server.address() as AddressInfo;
  return await connectEngine({ DOCKER_HOST: `tcp://127.0.0.1:${port}` });
}

const steps: [step: string, request: RegExp][] = [
  ["looks at the image", /^GET \/images\//],
  ["creates the container", /^POST \/containers\/create/],
  ["watches for its end", /^GET \/events/],
  ["attaches", /^POST \/containers\/\w+\/attach/],
  ["starts it", /^POST \/containers\/\w+\/start/],
];
for (const [step, request] of steps) {
  story(`startContainer() fails soon when the engine goes away as it ${step}`, async () => {
    const owner = randomUUID();
    after(() => assertNothingLeft(docker.engine, owner));
    const engine = await engineThatGoes(request);
    const spec = await docker.scriptSpec("process.stdin.resume()", {
      labels: { [OWNER_LABEL]: owner },
    });
    await assert.rejects(startContainer(engine, spec), {
      code: "engine_unavailable",
      message:
        /^Cannot .*: the connection to the Docker engine failed \(\w+\), see whether it still runs$/,
    });
    // What the runner could not remove without its engine, the next one's start does.
    await reap(docker.engine, { isAlive: async (other) => other !== owner });
  });
}
