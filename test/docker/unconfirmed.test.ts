import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { type AddressInfo, connect, createServer } from "node:net";
import { after, test } from "node:test";
import { startContainer } from "../../runner/docker/container.ts";
import { connectEngine } from "../../runner/docker/engine.ts";
import { SERVER_LABEL } from "../../runner/docker/label.ts";
import { containersOf, useEngine } from "../support/engine.ts";

const { docker, skip } = await useEngine();

test("a container whose creation was not confirmed goes away with the next start", {
  skip,
  timeout: 60_000,
}, async () => {
  // The real engine, whose first answer to a creation is lost.
  let isLost = true;
  const proxy = createServer((client) => {
    const engine = connect({ path: docker.engine.socketPath ?? "" });
    for (const socket of [client, engine]) socket.on("error", () => {});
    let creates = false;
    client.on("data", (chunk) => {
      creates = isLost && chunk.includes("/containers/create?name=");
      engine.write(chunk);
    });
    engine.on("data", (chunk) => {
      if (!creates) return void client.write(chunk);
      isLost = false;
      client.destroy();
    });
    client.on("close", () => engine.destroy());
    engine.on("close", () => client.destroy());
  });
  proxy.listen(0, "127.0.0.1");
  await once(proxy, "listening");
  after(() => proxy.close());
  const { port } = proxy.address() as AddressInfo;
  const engine = await connectEngine({ DOCKER_HOST: `tcp://127.0.0.1:${port}` });

  const spec = await docker.scriptSpec("process.stdin.resume()");
  const labels = { ...spec.labels, [SERVER_LABEL]: `lost-${randomUUID().slice(0, 8)}` };
  const start = () => startContainer(engine, { ...spec, labels });
  await assert.rejects(start(), { code: "engine_unavailable" });
  assert.equal((await containersOf(docker.engine, docker.owner)).length, 1);
  const container = await start();
  assert.deepEqual(await containersOf(docker.engine, docker.owner), [container.id]);
  await container.stop(0);
});
