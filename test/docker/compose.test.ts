/**
 * compose.yaml with Docker Compose and a real engine: everything starts by itself, serves a client, survives
 * a restart of each part, and leaves nothing.
 *
 * @module
 */
import assert from "node:assert/strict";
import { execFile, spawnSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { chmod, cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { after, test, type TestContext } from "node:test";
import { promisify } from "node:util";
import { pack } from "tar-fs";
import * as v from "valibot";
import { loadConfig } from "../../runner/config/config.ts";
import { ensureImage } from "../../runner/image/image.ts";
import { until, useEngine, withImage } from "../support/engine.ts";
import { connectModern } from "../support/mcp.ts";
import { probeImage } from "../support/probe-image.ts";
import { ROOT } from "../support/program.ts";
import { freePort } from "../support/worker.ts";

const EXAMPLE = join(ROOT, "docs/examples/compose");

/** Steps that take the shell out of an image, and what would need one. */
const NO_SHELL = [
  "USER 0",
  `RUN ["node", "-e", "fs.rmSync('/bin/sh')"]`,
  "USER 65532",
  'ENTRYPOINT ["node"]',
];

/** What the image is made of (.dockerignore). */
const CONTEXT = ["Dockerfile", "package.json", "package-lock.json", ".npmrc", "scripts", "dist"];

const TOOLS = [
  "clock__now",
  "everything__echo",
  "everything__get-sum",
  "files__now",
  "sealed__now",
];

const { docker, skip: noEngine } = await useEngine();
const compose = [["docker", "compose"], ["docker-compose"]].find(([program = "", ...args]) =>
  spawnSync(program, [...args, "version"]).status === 0
);
if (compose === undefined) {
  console.error("Tests of compose.yaml are skipped: there is no Docker Compose, install it");
}
const skip = noEngine || (compose === undefined && "there is no Docker Compose");

const run = randomUUID().slice(0, 8);
const project = `mcp-runner-test-${run}`;
const image = `${project}:local`;
const clock = `${project}-clock`;
const steps = new Set<string>();
const config = await mkdtemp(join(tmpdir(), "mcp-runner-compose-"));
const port = await freePort();
const origin = `http://127.0.0.1:${port}`;
const override = join(config, "override.yaml");

const files = ["-f", join(ROOT, "compose.yaml"), "-f", override, "-p", project];
const environment = {
  ...process.env,
  MCP_RUNNER_IMAGE: image,
  MCP_RUNNER_PORT: String(port),
  MCP_RUNNER_CONFIG: config,
};

async function inCompose(...args: readonly string[]): Promise<string> {
  const [program = "", ...first] = compose ?? [];
  const options = { env: environment, timeout: 120_000 };
  const running = promisify(execFile)(program, [...first, ...files, ...args], options);
  // What asks for a secret reads it from here.
  running.child.stdin?.end("a secret of this test");
  return (await running).stdout.trim();
}

async function inRunner(...args: readonly string[]): Promise<string> {
  return await inCompose("exec", "-T", "runner", "mcp-runner", ...args);
}

async function isReady(): Promise<boolean> {
  return await fetch(`${origin}/readyz`).then(({ ok }) => ok, () => false);
}

const inspected = v.object({
  servers: v.array(v.object({
    name: v.string(),
    error: v.optional(v.string(), ""),
    containers: v.array(v.string()),
  })),
});

const processes = v.object({ Processes: v.array(v.array(v.string())) });

async function inspect() {
  return v.parse(v.pipe(v.string(), v.parseJson(), inspected), await inRunner("inspect", "--json"))
    .servers;
}

const buildLine = v.object({ stream: v.optional(v.string(), ""), error: v.optional(v.string()) });

/** The image of Dockerfile, on a base that needs no registry, with the dist/ that is there. */
async function buildImage(): Promise<void> {
  const context = Readable.from(pack(ROOT, { entries: CONTEXT }));
  const output = await docker.engine.docker.buildImage(context, {
    t: image,
    buildargs: { BASE: await probeImage(), PREBUILT: "1" },
    networkmode: "none",
    forcerm: true,
  });
  for (const line of (await text(output)).trim().split("\n")) {
    const { stream, error } = v.parse(v.pipe(v.string(), v.parseJson(), buildLine), line);
    assert.equal(error, undefined);
    const [, step] = /---> ([0-9a-f]{12})\s/.exec(stream) ?? [];
    if (step !== undefined) steps.add(step);
  }
}

/** The example, with a container of another name, and servers with files of this machine. */
async function writeConfig(sealed: string): Promise<void> {
  await cp(EXAMPLE, config, { recursive: true });
  // The runner is another user than this one.
  await chmod(config, 0o755);
  const example = (await readFile(join(EXAMPLE, "mcp-runner.yaml"), "utf8"))
    .replace("container:mcp-runner-clock", `container:${clock}`);
  await writeFile(
    join(config, "mcp-runner.yaml"),
    `${example}
  files:
    source: image:${await probeImage()}
    args: ["/files/clock.mjs"]
    volumes: ["${config}:/files"]
    tools: { allow: ["now"] }
  sealed:
    source: image:${sealed}
    args: ["/files/clock.mjs"]
    volumes: ["${config}:/files"]
    secretFiles: { KEY_FILE: "store:key" }
    tools: { allow: ["now"] }
  elsewhere:
    source: image:${await probeImage()}
    args: ["/files/clock.mjs"]
    volumes: ["/srv:/files"]
    tools: { allow: ["now"] }
`,
  );
  await writeFile(
    override,
    `services:
  clock: { container_name: ${clock} }
  runner: { volumes: ["${config}:${config}:ro"] }
`,
  );
}

/** All that Compose has made for the project. */
async function left(): Promise<readonly string[]> {
  const filters = { label: [`com.docker.compose.project=${project}`] };
  const { docker: api } = docker.engine;
  const volumes = await api.listVolumes({ filters: JSON.stringify(filters) });
  return [
    ...(await api.listContainers({ all: true, filters })).map(({ Names }) => Names.join()),
    ...(await api.listNetworks({ filters })).map(({ Name }) => Name),
    ...(volumes.Volumes ?? []).map(({ Name }) => Name),
  ];
}

async function exists(container: string): Promise<boolean> {
  return await docker.engine.docker.getContainer(container).inspect().then(() => true, () => false);
}

after(async () => {
  if (!skip) await inCompose("down", "--volumes", "--timeout", "0").catch(() => {});
  await rm(config, { recursive: true });
  // Steps of the build are images without a name; the base among them has one.
  for (const name of [image, ...[...steps].toReversed()]) {
    const step = docker.engine.docker.getImage(name);
    const facts = await step.inspect().catch(() => undefined);
    if (facts === undefined || (name !== image && facts.RepoTags.length > 0)) continue;
    await step.remove().catch(() => {});
  }
});

/** A client lists and calls tools of all servers; what is known of these then. */
async function serves(seen: Set<string>): Promise<v.InferOutput<typeof inspected>["servers"]> {
  const token = await inRunner("token", "create", "--name", "test");
  const client = await connectModern({ origin, token });
  const call = async (name: string, args: Readonly<Record<string, unknown>> = {}) => {
    const { content: [first] } = await client.callTool({ name, arguments: args });
    assert.equal(first?.type, "text");
    return first.text;
  };
  const names = async () => (await client.listTools()).tools.map(({ name }) => name).toSorted();
  // Servers start one by one, and clients see each as soon as it is there.
  await until("all tools", async () => (await names()).length >= TOOLS.length, 60_000);
  assert.deepEqual(await names(), TOOLS);
  for (const name of TOOLS.filter((tool) => tool.endsWith("__now"))) {
    assert.match(await call(name), /^\d{4}-\d\d-\d\dT/);
  }
  assert.equal(await call("everything__echo", { message: "hi" }), "Echo: hi");
  await client.close();
  const servers = await inspect();
  for (const id of servers.flatMap(({ containers }) => containers)) seen.add(id);
  return servers;
}

async function story(t: TestContext): Promise<void> {
  const step = (name: string, run: () => Promise<void>) =>
    t.test(name, async () => {
      try {
        await run();
      } catch (error) {
        // What happened in the containers is gone with them.
        console.error(await inCompose("logs", "--no-color"));
        throw error;
      }
    });
  const seen = new Set<string>();
  const errorOf = async (server: string) =>
    (await inspect()).find(({ name }) => name === server)?.error ?? "";

  await step("it starts and joins without anybody", async () => {
    await inCompose("up", "--detach", "--no-build");
    await until("a runner that is ready", isReady, 60_000);
    await until("a server without its secret", async () => await errorOf("sealed") !== "");
    assert.match(await errorOf("sealed"), /secret set key$/);
    await inRunner("secret", "set", "key");
    await serves(seen);
  });

  await step("a path that the runner does not see is not mounted", async () => {
    assert.match(await errorOf("elsewhere"), /in a container and does not see that path/);
  });

  await step("neither program is root, and both are held", async () => {
    for (const service of ["worker", "runner"]) {
      const container = docker.engine.docker.getContainer(await inCompose("ps", "-q", service));
      const { Processes } = v.parse(processes, await container.top({ ps_args: "-o uid,pid" }));
      assert.deepEqual(Processes.map(([user]) => user), ["1000"]);
      const { HostConfig } = await container.inspect();
      assert.equal(HostConfig.ReadonlyRootfs, true);
      assert.deepEqual(HostConfig.CapDrop, ["ALL"]);
    }
  });

  await step("a worker that was restarted is dialled again", async () => {
    await inCompose("restart", "worker");
    await until("a runner that is ready", isReady, 60_000);
    await serves(seen);
  });

  await step("a killed runner comes back with its token and removes what it left", async () => {
    const before = (await inspect()).find(({ name }) => name === "everything")?.containers ?? [];
    assert.ok(before.length > 0);
    await inCompose("kill", "runner");
    await inCompose("up", "--detach", "--no-build");
    await until("a runner that is ready", isReady, 60_000);
    await serves(seen);
    for (const id of before) assert.equal(await exists(id), false);
    assert.equal((await inRunner("token", "ls")).match(/ runner /g)?.length, 1);
  });

  await step("down leaves nothing, and nothing of what the runner made", async () => {
    await inCompose("down", "--volumes");
    assert.deepEqual(await left(), []);
    assert.ok(seen.size > TOOLS.length);
    for (const id of seen) assert.equal(await exists(id), false);
  });
}

test("compose.yaml", { skip, timeout: 400_000 }, async (t) => {
  await buildImage();
  // The base that is used here has no npm.
  for (const { name, source } of (await loadConfig(join(EXAMPLE, "mcp-runner.yaml"))).servers) {
    if (source.kind === "npm") {
      await ensureImage(docker.engine, source, () => {}, { server: name });
    }
  }
  await withImage(docker.engine, [`FROM ${await probeImage()}`, ...NO_SHELL], async (sealed) => {
    await writeConfig(sealed);
    await story(t);
  });
});
