import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer as createHttpServer } from "node:http";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { startContainer } from "../../runner/docker/container.ts";
import { withDeadline } from "../../runner/docker/deadline.ts";
import { dial } from "../../runner/docker/dial.ts";
import { connectEngine } from "../../runner/docker/engine.ts";
import { containersOf, linesOf, until, useEngine } from "../support/engine.ts";

const { docker, skip } = await useEngine();
const story = (name: string, run: () => Promise<void>) =>
  void test(name, { skip, timeout: 60_000 }, run);

const folder = await mkdtemp(join(tmpdir(), "mcp-runner-engine-"));
after(() => rm(folder, { recursive: true }));

/** Listens where `listen` says, and closes after the tests with every connection. */
async function listening(server: Server, ...listen: [string] | [number, string]): Promise<Server> {
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => sockets.add(socket));
  if (listen.length === 1) server.listen(listen[0]);
  else server.listen(listen[0], listen[1]);
  await once(server, "listening");
  after(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return server;
}

function portOf(server: Server): number {
  return (server.address() as AddressInfo).port;
}

/** The real engine behind a TCP port, until `cut` breaks all connections. */
async function engineOverTcp(): Promise<{ host: string; cut: () => void }> {
  const path = docker.engine.socketPath ?? "";
  const sockets: Socket[] = [];
  const server = await listening(
    createServer({ allowHalfOpen: true }, (client) => {
      const engine = connect({ path, allowHalfOpen: true });
      sockets.push(client, engine);
      for (const socket of [client, engine]) socket.on("error", () => {});
      client.pipe(engine).pipe(client);
    }),
    0,
    "127.0.0.1",
  );
  const cut = () => {
    server.close();
    for (const socket of sockets) socket.destroy();
  };
  after(cut);
  return { host: `tcp://127.0.0.1:${portOf(server)}`, cut };
}

story("connectEngine() uses the context that the docker CLI uses", async () => {
  const id = createHash("sha256").update("here").digest("hex");
  const meta = join(folder, ".docker/contexts/meta", id);
  await mkdir(meta, { recursive: true });
  const Host = docker.engine.endpoint;
  await writeFile(
    join(meta, "meta.json"),
    JSON.stringify({ Name: "here", Endpoints: { docker: { Host } } }),
  );
  await writeFile(join(folder, ".docker/config.json"), '{"currentContext":"here"}');
  const engine = await connectEngine({ HOME: folder });
  assert.equal(engine.endpoint, Host);
  assert.equal(engine.os, "linux");
});

story("connectEngine() takes DOCKER_HOST from the environment it is given alone", async () => {
  const before = process.env["DOCKER_HOST"];
  process.env["DOCKER_HOST"] = "tcp://127.0.0.1:1";
  process.env["DOCKER_CERT_PATH"] = folder;
  try {
    const engine = await connectEngine({ DOCKER_HOST: docker.engine.endpoint });
    assert.equal(engine.version, docker.engine.version);
    assert.equal(process.env["DOCKER_HOST"], "tcp://127.0.0.1:1");
  } finally {
    delete process.env["DOCKER_CERT_PATH"];
    if (before === undefined) delete process.env["DOCKER_HOST"];
    else process.env["DOCKER_HOST"] = before;
  }
});

story("a container works over TCP as over the socket", async () => {
  const { host } = await engineOverTcp();
  const engine = await connectEngine({ DOCKER_HOST: host });
  assert.equal(engine.endpoint, host);
  const container = await startContainer(
    engine,
    await docker.scriptSpec("process.stdin.pipe(process.stdout)"),
  );
  const next = linesOf((listener) => container.onLine(listener));
  const large = JSON.stringify({ text: "z".repeat(2 * 1024 ** 2) });
  container.write(large);
  assert.equal(await next(), large);
  await container.stop(5_000);
  assert.deepEqual(await container.exited, { code: 0, oomKilled: false, reason: "closed" });
});

story("a container whose engine goes away is lost, and leaves nothing behind", async () => {
  const { host, cut } = await engineOverTcp();
  const engine = await connectEngine({ DOCKER_HOST: host });
  const container = await startContainer(
    engine,
    await docker.scriptSpec("process.stdin.pipe(process.stdout)"),
  );
  cut();
  assert.deepEqual(await container.exited, { code: null, oomKilled: false, reason: "lost" });
  assert.throws(() => container.write("{}"), { code: "server_failed" });
  await until(
    "the end of the container",
    async () => (await containersOf(docker.engine, docker.owner)).length === 0,
  );
});

test("connectEngine() says that an engine does not answer", async () => {
  const path = join(folder, "hung.sock");
  await listening(createServer(() => {}), path);
  await assert.rejects(connectEngine({ DOCKER_HOST: `unix://${path}` }), {
    code: "engine_unavailable",
    message:
      `Cannot reach the Docker engine at unix://${path} (from DOCKER_HOST): it did not answer within 5 s, restart it`,
  });
});

test("connectEngine() says that no engine runs", async () => {
  const path = join(folder, "none.sock");
  await assert.rejects(connectEngine({ DOCKER_HOST: `unix://${path}` }), {
    code: "engine_unavailable",
    message: /none\.sock \(from DOCKER_HOST\): it does not run, start it/,
  });
  await assert.rejects(connectEngine({ DOCKER_HOST: "tcp://127.0.0.1:1" }), {
    code: "engine_unavailable",
    message: /nothing listens there, start the engine or correct DOCKER_HOST/,
  });
});

const answers: [why: string, status: number, body: string, message: RegExp][] = [
  ["a web server", 404, "<h1>Not found</h1>", /it refused with HTTP 404/],
  ["a program that speaks JSON", 200, '{"hello":true}', /no Docker engine, correct DOCKER_HOST/],
  [
    "Windows containers",
    200,
    '{"Version":"27.0","ApiVersion":"1.46","Os":"windows","Arch":"amd64"}',
    /runs windows containers, switch it to Linux containers/,
  ],
  [
    "an engine that is too old",
    200,
    '{"Version":"19.03","ApiVersion":"1.40","Os":"linux","Arch":"amd64"}',
    /version 19\.03 is too old, install 20\.10 or newer/,
  ],
];
for (const [why, status, body, message] of answers) {
  test(`connectEngine() refuses ${why}`, async () => {
    const server = createHttpServer((_request, response) => response.writeHead(status).end(body));
    const port = portOf(await listening(server, 0, "127.0.0.1"));
    await assert.rejects(connectEngine({ DOCKER_HOST: `tcp://127.0.0.1:${port}` }), {
      code: "engine_unavailable",
      message,
    });
  });
}

test("withDeadline() gives up on an answer that stops in the middle", async () => {
  const server = createHttpServer((request, response) => {
    response.writeHead(200, { "content-type": "application/json" });
    if (request.url === "/version?") {
      response.end('{"Version":"27.0","ApiVersion":"1.46","Os":"linux","Arch":"amd64"}');
    } else response.write('{"Id":');
  });
  const port = portOf(await listening(server, 0, "127.0.0.1"));
  const engine = await connectEngine({ DOCKER_HOST: `tcp://127.0.0.1:${port}` });
  const late = withDeadline(
    "look at an image",
    200,
    (abortSignal) => dial(engine.docker, { method: "GET", path: "/images/x/json", abortSignal }),
  );
  await assert.rejects(late, {
    code: "engine_unavailable",
    message:
      "Cannot look at an image: the Docker engine did not answer within 0.2 s, restart it if this goes on",
  });
});
