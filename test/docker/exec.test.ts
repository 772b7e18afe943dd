/**
 * Servers in a container that somebody else runs.
 *
 * @module
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { after, before, test } from "node:test";
import * as v from "valibot";
import { fileExists } from "../../runner/docker/archive.ts";
import { type ExecSpec, startExec } from "../../runner/docker/exec.ts";
import { ensureBaseImage } from "../../runner/image/base-image.ts";
import { linesOf, until, useEngine } from "../support/engine.ts";

const { docker, skip } = await useEngine();
const story = (name: string, run: () => Promise<void>) =>
  void test(name, { skip, timeout: 60_000 }, run);

const VALUE = `s3cr3t-${randomUUID()}`;
const WAITS = "setInterval(() => {}, 1000)";
const name = `test-foreign-${randomUUID().slice(0, 8)}`;

/** A container without any label of ours, as a user would start it. */
async function foreign(containerName: string, prepare = "") {
  const { image } = await ensureBaseImage(docker.engine, () => {});
  const container = await docker.engine.docker.createContainer({
    Image: image,
    name: containerName,
    Entrypoint: ["/usr/bin/node"],
    Cmd: ["-e", `${prepare}; ${WAITS}`],
    User: prepare === "" ? "65532" : "0",
    HostConfig: { NetworkMode: "none", Init: true },
  });
  await container.start();
  return container;
}

before(async () => {
  if (skip === false) await foreign(name);
});
after(async () => {
  if (skip === false) await docker.engine.docker.getContainer(name).remove({ force: true });
});

async function start(script: string, more: Partial<ExecSpec> = {}) {
  const command = ["node", "-e", script];
  return await startExec(docker.engine, { container: name, command, env: {}, ...more });
}

/** Programs that run in the container, without its own. */
async function running(): Promise<string[]> {
  const options = { ps_args: "-eo pid,args" };
  const { Processes } = v.parse(
    v.object({ Processes: v.array(v.array(v.string())) }),
    await docker.engine.docker.getContainer(name).top(options),
  );
  return Processes.map((fields) => fields[1] ?? "")
    .filter((text) => !text.includes("docker-init") && !/node -e ; /.test(text));
}

async function stillRuns(): Promise<boolean> {
  return (await docker.engine.docker.getContainer(name).inspect()).State.Running;
}

story(
  "a line written to the server comes back, and stop() ends it at the end of its input",
  async () => {
    const server = await start("process.stdin.pipe(process.stdout)");
    const next = linesOf((listener) => server.onLine(listener));
    server.write('{"text":"grüße 🌍"}');
    assert.equal(await next(), '{"text":"grüße 🌍"}');
    const large = JSON.stringify("x".repeat(1024 ** 2));
    server.write(large);
    assert.equal(await next(), large);
    await server.stop(5_000);
    assert.deepEqual(await server.exited, { code: 0, oomKilled: false, reason: "closed" });
    assert.deepEqual(await running(), []);
    assert.equal(await stillRuns(), true);
  },
);

story("exited tells how a server ended by itself, after its last lines", async () => {
  const server = await start(
    `console.log("out"); console.error("no config"); process.exitCode = 7`,
  );
  const lines: string[] = [];
  const errors: string[] = [];
  server.onLine((line) => lines.push(line));
  server.onStderr((line) => errors.push(line));
  assert.deepEqual(await server.exited, { code: 7, oomKilled: false, reason: "exit" });
  assert.deepEqual([lines, errors], [["out"], ["no config"]]);
  assert.throws(() => server.write("{}"), { code: "server_failed" });
});

for (const graceMs of [300, 0]) {
  story(`stop(${graceMs}) ends a server that ignores everything, with its children`, async () => {
    const server = await start(`
      process.on("SIGTERM", () => console.log("SIGTERM"));
      require("node:child_process").spawn(process.execPath, ["-e", "${WAITS}"], { stdio: "ignore" })
        .on("spawn", () => console.log("ready"));
      ${WAITS}`);
    const next = linesOf((listener) => server.onLine(listener));
    assert.equal(await next(), "ready");
    const stopped = server.stop(graceMs);
    if (graceMs > 0) assert.equal(await next(), "SIGTERM");
    await stopped;
    await until("the end of its processes", async () => (await running()).length === 0);
    assert.equal((await server.exited).reason, "closed");
    assert.equal(await stillRuns(), true);
  });
}

story("stop(0) right after the start leaves nothing that runs", async () => {
  const server = await start(`process.on("SIGTERM", () => {}); ${WAITS}`);
  await server.stop(0);
  await until("the end of its process", async () => (await running()).length === 0);
});

story("a line over the limit ends the server and not the container", async () => {
  const server = await start(`process.stdout.write("x".repeat(300_000)); ${WAITS}`, {
    maxLineBytes: 256 * 1024,
  });
  assert.equal((await server.exited).reason, "overflow");
  await until("the end of its process", async () => (await running()).length === 0);
  assert.equal(await stillRuns(), true);
});

story("secrets and variables reach the server, and the engine does not show them", async () => {
  const secrets = {
    variables: new Map([["TOKEN", `${VALUE}\n`]]),
    files: new Map<string, string>(),
    mayUseEnvironment: false,
  };
  const server = await start(
    `console.log(JSON.stringify([process.env.TOKEN, process.env.PLAIN])); process.stdin.resume()`,
    { secrets, env: { PLAIN: `plain-${VALUE}` } },
  );
  const line = await linesOf((listener) => server.onLine(listener))();
  assert.deepEqual(JSON.parse(line), [`${VALUE}\n`, `plain-${VALUE}`]);

  const container = await docker.engine.docker.getContainer(name).inspect();
  const execs = await Promise.all(
    (container.ExecIDs ?? []).map((id) => docker.engine.docker.getExec(id).inspect()),
  );
  assert.ok(execs.length > 0);
  const ps = execFileSync("ps", ["-eo", "args"], { encoding: "utf8" });
  assert.ok(!JSON.stringify([container, execs, await running(), ps]).includes(VALUE));
  await server.stop(5_000);
});

story("files with secrets are refused in a container that is not ours", async () => {
  const secrets = {
    variables: new Map<string, string>(),
    files: new Map([["CERT", VALUE]]),
    mayUseEnvironment: true,
  };
  await assert.rejects(start("", { secrets }), { code: "config_invalid", message: /runs already/ });
});

story(
  "a container that is not there, that has stopped, and that is paused is named with the fix",
  async () => {
    await assert.rejects(start("", { container: "nowhere-at-all" }), {
      code: "server_failed",
      message: `Cannot use container "nowhere-at-all": the engine has none of that name, start it`,
    });
    const other = `${name}-other`;
    const container = await foreign(other);
    try {
      await container.pause();
      await assert.rejects(start("", { container: other }), {
        message: `Cannot use container "${other}": it is paused, run "docker unpause ${other}"`,
      });
      await container.unpause();
      await container.kill();
      await assert.rejects(start("", { container: other }), {
        message: `Cannot use container "${other}": it does not run, run "docker start ${other}"`,
      });
    } finally {
      await container.remove({ force: true });
    }
  },
);

story("a server whose container is stopped by its owner has ended", async () => {
  const other = `${name}-stopped`;
  const container = await foreign(other);
  try {
    const server = await start("process.stdin.pipe(process.stdout)", { container: other });
    const next = linesOf((listener) => server.onLine(listener));
    server.write("1");
    await next();
    await container.kill();
    assert.equal((await server.exited).reason, "exit");
  } finally {
    await container.remove({ force: true });
  }
});

story("without a shell a server runs, is warned about, and gets no secret unasked", async () => {
  const other = `${name}-bare`;
  const container = await foreign(other, "fs.rmSync('/bin/sh')");
  try {
    const shell = { containerId: container.id, path: "/bin/sh" };
    await until("the removal of the shell", async () => !(await fileExists(docker.engine, shell)));
    const secrets = {
      variables: new Map([["TOKEN", VALUE]]),
      files: new Map<string, string>(),
      mayUseEnvironment: false,
    };
    const command = [
      "/usr/bin/node",
      "-e",
      "console.log(process.env.TOKEN); process.stdin.resume()",
    ];
    await assert.rejects(start("", { container: other, command, secrets }), {
      message: /hand over TOKEN: there is no \/bin\/sh/,
    });
    const allowed = { ...secrets, mayUseEnvironment: true };
    const server = await start("", { container: other, command, secrets: allowed });
    assert.match(server.warnings.join(), /has no \/bin\/sh: .* cannot be stopped/);
    assert.equal(await linesOf((listener) => server.onLine(listener))(), VALUE);
    await server.stop(5_000);
    assert.equal((await server.exited).code, 0);
  } finally {
    await container.remove({ force: true });
  }
});
