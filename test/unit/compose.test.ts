/**
 * What compose.yaml, the Dockerfile and their example promise, without starting them.
 *
 * @module
 */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import * as v from "valibot";
import { parse } from "yaml";
import { parseConfig } from "../../runner/config/config.ts";

const root = join(dirname(fileURLToPath(import.meta.url)), "../..");

function read(path: string): string {
  return readFileSync(join(root, path), "utf8");
}

const texts = v.optional(v.array(v.string()), []);
const service = v.looseObject({
  image: v.string(),
  container_name: v.optional(v.string()),
  ports: texts,
  volumes: texts,
  cap_add: texts,
  environment: v.optional(v.record(v.string(), v.unknown()), {}),
});
const { services } = v.parse(
  v.looseObject({ services: v.record(v.string(), service) }),
  parse(read("compose.yaml"), { merge: true }),
);
const all = Object.entries(services);

test("compose.yaml publishes one port, on loopback alone", () => {
  assert.deepEqual(all.flatMap(([, { ports }]) => ports), [
    "127.0.0.1:${MCP_RUNNER_PORT:-8787}:8787",
  ]);
});

test("every image has a tag, and none is the newest of its name", () => {
  const images = [
    ...all.map(([, { image }]) => image),
    ...[...read("Dockerfile").matchAll(/^ARG BASE=(.+)$/gm)].map(([, base = ""]) => base),
  ];
  assert.equal(images.length, all.length + 1);
  for (const image of images) {
    assert.match(image, /:[\w.-]+\}?$/);
    assert.doesNotMatch(image, /:latest/);
  }
});

test("no variable has a value, and no text looks like a secret", () => {
  for (const [, { environment }] of all) {
    for (const [name, value] of Object.entries(environment)) assert.equal(value, null, name);
  }
  for (const file of ["compose.yaml", "Dockerfile", "docs/examples/compose/mcp-runner.yaml"]) {
    assert.doesNotMatch(read(file), /mcpr_|[A-Za-z0-9+/_-]{40,}|passw|--code/i, file);
  }
});

for (const [name, each] of all) {
  test(`the service "${name}" is held`, () => {
    assert.equal(each["read_only"], true);
    assert.deepEqual(each["cap_drop"], ["ALL"]);
    assert.deepEqual(each["security_opt"], ["no-new-privileges:true"]);
    assert.match(String(each["mem_limit"]), /^\d+m$/);
    assert.ok(Number(each["pids_limit"]) <= 256);
    assert.equal(each["stop_grace_period"], "30s");
    assert.equal(each["privileged"], undefined);
    assert.equal(each["pid"], undefined);
    assert.notEqual(each["network_mode"], "host");
  });
}

test("the runner alone has the engine's socket, starts as root, and can do no more than change that", () => {
  const having = all.filter(([, { volumes }]) => volumes.some((it) => it.includes("docker.sock")));
  assert.deepEqual(having.map(([name]) => name), ["runner"]);
  const rooted = all.filter(([, { user }]) => String(user).startsWith("0"));
  assert.deepEqual(rooted.map(([name]) => name), ["runner"]);
  for (const [name, { cap_add }] of all) {
    assert.deepEqual(cap_add, name === "runner" ? ["SETUID", "SETGID"] : []);
  }
});

test("what is mounted exists, and is where the program looks for it", () => {
  const program = read("scripts/container.mjs");
  const mounted = (services["runner"]?.volumes ?? []).map((volume) => {
    const [, source = "", target = ""] = /^(?:\$\{\w+:-)?([^:}]+)\}?:([^:]+)/.exec(volume) ?? [];
    return { source, target };
  });
  assert.equal(mounted.length, 5);
  for (const { source, target } of mounted) {
    if (source.startsWith("./")) assert.ok(existsSync(join(root, source)), source);
    if (target !== "/dev/shm") assert.ok(program.includes(`"${target}`), target);
  }
});

test("the example is a config, and its static server is a container of compose.yaml", async () => {
  const machine = { platform: "linux", home: "/home/ada", ours: [] };
  const { servers } = await parseConfig(read("docs/examples/compose/mcp-runner.yaml"), {
    file: "mcp-runner.yaml",
    cwd: "/work",
    machine,
  });
  assert.deepEqual(servers.map(({ source }) => source.kind), ["npm", "running"]);
  const [, { source } = {}] = servers;
  assert.equal(
    source?.kind === "running" && source.container,
    services["clock"]?.container_name,
  );
});

test("nothing but sources and dist/ gets into the build", () => {
  const [, first = "", ...rest] = read(".dockerignore").trim().split("\n");
  assert.equal(first, "*");
  for (const line of rest) {
    assert.match(line, /^!/);
    if (line !== "!dist") assert.ok(existsSync(join(root, line.slice(1))), line);
  }
});
