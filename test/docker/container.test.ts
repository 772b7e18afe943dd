import assert from "node:assert/strict";
import { test } from "node:test";
import { startContainer, type StdioContainer } from "../../runner/docker/container.ts";
import { describeExit } from "../../runner/server/process.ts";
import { containersOf, linesOf, useEngine } from "../support/engine.ts";

const { docker, skip } = await useEngine();
const story = (name: string, run: () => Promise<void>) =>
  void test(name, { skip, timeout: 120_000 }, run);

const MIB = 1024 ** 2;
const ECHO = "process.stdin.pipe(process.stdout)";
const IGNORES_EVERYTHING = `
  process.on("SIGTERM", () => console.log("SIGTERM"));
  setInterval(() => {}, 1000);
  console.log("ready");
`;

function nextLine(container: StdioContainer): () => Promise<string> {
  return linesOf((listener) => container.onLine(listener));
}

story("a line written to the server comes back as the server writes it", async () => {
  const container = await docker.runScript(ECHO);
  const next = nextLine(container);
  container.write('{"jsonrpc":"2.0","id":1,"text":"grüße 🌍"}');
  assert.equal(await next(), '{"jsonrpc":"2.0","id":1,"text":"grüße 🌍"}');

  const large = JSON.stringify({ text: "x".repeat(4 * MIB) });
  container.write(large);
  container.write("[]");
  assert.equal(await next(), large);
  assert.equal(await next(), "[]");
  await container.stop(2_000);
});

story("a server that ends at the end of its input is closed without a signal", async () => {
  const container = await docker.runScript(ECHO);
  await container.stop(10_000);
  assert.deepEqual(await container.exited, { code: 0, oomKilled: false, reason: "closed" });
  assert.deepEqual(await containersOf(docker.engine, docker.owner), []);
});

story("lines that a server writes after the end of its input still arrive", async () => {
  const container = await docker.runScript(
    `process.stdin.resume().on("end", () => setTimeout(() => console.log("last words"), 100))`,
  );
  const next = nextLine(container);
  const stopped = container.stop(5_000);
  assert.equal(await next(), "last words");
  await stopped;
});

story(
  "exited tells the exit code of a server that ends by itself, after its last lines",
  async () => {
    const container = await docker.runScript(
      `console.log("out"); process.stderr.write("cannot read config\\nbye"); process.exitCode = 7`,
    );
    const lines: string[] = [];
    const errors: string[] = [];
    container.onLine((line) => lines.push(line));
    container.onStderr((line) => errors.push(line));
    assert.deepEqual(await container.exited, { code: 7, oomKilled: false, reason: "exit" });
    assert.deepEqual(lines, ["out"]);
    assert.deepEqual(errors, ["cannot read config", "bye"]);
    assert.throws(() => container.write("{}"), { name: "GatewayError", code: "server_failed" });
  },
);

story("exited tells that a server ran out of memory", async () => {
  const container = await docker.runScript(
    `const kept = []; for (;;) kept.push(Buffer.alloc(${MIB}, 1))`,
    { limits: { memoryBytes: 64 * MIB, cpuCores: 1, pids: 64 } },
  );
  const exit = await container.exited;
  const memoryBytes = 64 * MIB;
  assert.deepEqual(exit, { code: 137, oomKilled: true, reason: "exit", memoryBytes });
  assert.equal(
    describeExit(exit),
    "it ran out of memory (limit 64m), raise limits.memory in mcp-runner.yaml",
  );
});

story("a line over the limit ends the container as overflow", async () => {
  const container = await docker.runScript(
    `process.stdout.write("x".repeat(300_000)); setInterval(() => {}, 1000)`,
    { maxLineBytes: 256 * 1024 },
  );
  const lines: string[] = [];
  container.onLine((line) => lines.push(line));
  assert.equal((await container.exited).reason, "overflow");
  assert.deepEqual(lines, []);
});

story("lines that are not UTF-8 are counted, and the ones around them arrive", async () => {
  const container = await docker.runScript(`
    process.stdout.write("one\\n");
    process.stdout.write(Buffer.from([0xff, 0xfe, 0x41, 0x0a]));
    process.stdout.write("two\\r\\n\\n");
  `);
  const lines: string[] = [];
  const garbage: number[] = [];
  container.onLine((line) => lines.push(line));
  container.onGarbage((bytes) => garbage.push(bytes));
  await container.exited;
  assert.deepEqual(lines, ["one", "two"]);
  assert.deepEqual(garbage, [3]);
});

story(
  "a server that ignores the end of input and SIGTERM is stopped soon after its grace",
  async () => {
    const container = await docker.runScript(IGNORES_EVERYTHING);
    const next = nextLine(container);
    assert.equal(await next(), "ready");
    const started = performance.now();
    const stopped = container.stop(300);
    assert.equal(await next(), "SIGTERM");
    await stopped;
    assert.ok(performance.now() - started < 5_000);
    assert.equal((await container.exited).reason, "closed");
    assert.deepEqual(await containersOf(docker.engine, docker.owner), []);
  },
);

story("stop(0) kills at once, also in the middle of another stop", async () => {
  const container = await docker.runScript(IGNORES_EVERYTHING);
  const patient = container.stop(60_000);
  await container.stop(0);
  await patient;
  assert.deepEqual(await container.exited, { code: 137, oomKilled: false, reason: "closed" });
});

story("a flood of stderr is read in steps, and what comes on stdout is not lost", async () => {
  const container = await docker.runScript(`
    const { writeSync } = require("node:fs");
    const line = "y".repeat(100) + "\\n";
    const begun = performance.now();
    for (let bytes = 0; bytes < 24 * ${MIB}; bytes += line.length) writeSync(2, line);
    console.log(performance.now() - begun);
  `);
  const next = nextLine(container);
  container.onStderr(() => {});
  // 64 KiB in 10 ms: what the buffers on the way hold is all that was written at full speed.
  assert.ok(Number(await next()) > 1_000);
  assert.equal((await container.exited).reason, "exit");
});

story("a server in a flood of stderr is killed from outside without delay", async () => {
  const container = await docker.runScript(`
    const { writeSync } = require("node:fs");
    for (;;) writeSync(2, "y".repeat(100) + "\\n");
  `);
  const next = linesOf((listener) => container.onStderr(listener));
  while (await next() !== "(more on stderr in this second was dropped)");
  const { docker: api } = docker.engine;
  await api.getContainer(container.id).kill({ abortSignal: AbortSignal.timeout(5_000) });
  assert.equal((await container.exited).reason, "outside");
});

story("a server that floods both outputs is cut short on stderr, and can be stopped", async () => {
  const container = await docker.runScript(`
    const line = "y".repeat(1000) + "\\n";
    const flood = (stream) => { while (stream.write(line)); stream.once("drain", () => flood(stream)); };
    flood(process.stdout); flood(process.stderr);
  `);
  const next = linesOf((listener) => container.onStderr(listener));
  while (await next() !== "(more on stderr in this second was dropped)");
  await container.stop(200);
  assert.equal((await container.exited).reason, "closed");
});

story("a server that does not read its input gets no more than the bound", async () => {
  const container = await docker.runScript("setInterval(() => {}, 1000)");
  const message = JSON.stringify({ text: "x".repeat(4 * MIB) });
  assert.throws(() => {
    for (let sent = 0; sent < 64; sent++) container.write(message);
  }, { name: "GatewayError", code: "overloaded" });
  await container.stop(0);
});

story("what a server writes before anybody listens is kept", async () => {
  const container = await docker.runScript(`console.log("early"); console.error("early too")`);
  await container.exited;
  assert.equal(await nextLine(container)(), "early");
  assert.equal(await linesOf((listener) => container.onStderr(listener))(), "early too");
});

story("a container that somebody else removes is seen as ended", async () => {
  const container = await docker.runScript(ECHO);
  await docker.engine.docker.getContainer(container.id).remove({ force: true });
  assert.deepEqual(await container.exited, { code: 137, oomKilled: false, reason: "outside" });
});

story("a server that ends at a SIGINT from outside has not crashed", async () => {
  const container = await docker.runScript(
    `process.on("SIGINT", () => process.exit(3)); ${ECHO}`,
  );
  const next = nextLine(container);
  container.write("ready");
  await next();
  await docker.engine.docker.getContainer(container.id).kill({ signal: "SIGINT" });
  assert.deepEqual(await container.exited, { code: 3, oomKilled: false, reason: "outside" });
});

story("a server that kills itself is not taken for one that somebody else has ended", async () => {
  const script = `process.on("SIGHUP", () => process.kill(process.pid, "SIGKILL")); ${ECHO}`;
  const container = await docker.runScript(script);
  const next = nextLine(container);
  container.write("ready");
  await next();
  await docker.engine.docker.getContainer(container.id).kill({ signal: "SIGHUP" });
  assert.deepEqual(await container.exited, { code: 137, oomKilled: false, reason: "exit" });
});

const refused: [why: string, image: string | undefined, command: string[], expected: object][] = [
  [
    "an image that is not there",
    "mcp-runner/none:1",
    [],
    { code: "image_missing", message: /no image "mcp-runner\/none:1", run "docker pull/ },
  ],
];
for (const [why, image, command, expected] of refused) {
  story(`startContainer() names ${why} and leaves nothing`, async () => {
    const spec = await docker.scriptSpec("", {
      command,
      ...(image === undefined ? {} : { image }),
    });
    await assert.rejects(startContainer(docker.engine, spec), {
      name: "GatewayError",
      ...expected,
    });
  });
}
