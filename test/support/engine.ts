/**
 * The real engine for tests: connect, start small servers in containers, prove that nothing stays.
 *
 * @module
 */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { after } from "node:test";
import { pack } from "tar-fs";
import * as v from "valibot";
import { toGatewayError } from "../../src/errors.ts";
import {
  type ContainerSpec,
  startContainer,
  type StdioContainer,
} from "../../runner/docker/container.ts";
import { connectEngine, type Engine } from "../../runner/docker/engine.ts";
import { OWNER_LABEL } from "../../runner/docker/label.ts";
import { reap } from "../../runner/docker/reaper.ts";
import { ensureBaseImage } from "../../runner/image/base-image.ts";
import { follow } from "../../runner/image/follow.ts";

/** As a server has them whose configuration names none. */
export const LIMITS = { memoryBytes: 512 * 1024 ** 2, cpuCores: 1, pids: 128 };

/** The engine of one test file, with an owner of its own. */
export interface TestEngine {
  readonly engine: Engine;
  /** Label value of everything that the file makes. */
  readonly owner: string;
  /** Runs a Node script as a server, in an image with nothing but Node. */
  runScript(script: string, overrides?: Partial<ContainerSpec>): Promise<StdioContainer>;
  /** What `runScript` starts, for tests that change it. */
  scriptSpec(script: string, overrides?: Partial<ContainerSpec>): Promise<ContainerSpec>;
}

/**
 * Connects to the engine, and checks after the file's tests that nothing of theirs is left. Where there is
 * no engine, `skip` is the reason, to be passed to each test.
 */
export async function useEngine(): Promise<{ docker: TestEngine; skip: string | false }> {
  const engine = await connectEngine().catch((error: unknown) => toGatewayError(error));
  if (engine instanceof Error) {
    console.error(`Tests with a real engine are skipped: ${engine.message}`);
    const missing = () => Promise.reject(engine);
    return {
      docker: {
        runScript: missing,
        scriptSpec: missing,
        owner: "",
        get engine(): Engine {
          throw engine;
        },
      },
      skip: engine.message,
    };
  }
  const owner = randomUUID();
  after(() => assertNothingLeft(engine, owner));

  async function scriptSpec(script: string, overrides: Partial<ContainerSpec> = {}) {
    const { image } = await ensureBaseImage(engine as Engine, () => {});
    return {
      image,
      command: ["-e", script],
      env: {},
      volumes: [],
      limits: LIMITS,
      labels: { [OWNER_LABEL]: owner },
      ...overrides,
    };
  }
  async function runScript(script: string, overrides?: Partial<ContainerSpec>) {
    return await startContainer(engine as Engine, await scriptSpec(script, overrides));
  }
  return { docker: { engine, owner, runScript, scriptSpec }, skip: false };
}

/** Fails if a container or a network of `owner` is left, and removes it then. */
export async function assertNothingLeft(engine: Engine, owner: string): Promise<void> {
  const left = await containersOf(engine, owner);
  const filters = { label: [`${OWNER_LABEL}=${owner}`] };
  const networks = await engine.docker.listNetworks({ filters });
  await reap(engine, { isAlive: async (other) => other !== owner });
  assert.deepEqual(left, [], "containers are left");
  assert.deepEqual(networks, [], "networks are left");
}

/** Where the engine keeps its files, and which runtimes it has. */
export async function aboutEngine({ docker }: Engine) {
  const facts = v.object({
    DockerRootDir: v.string(),
    Runtimes: v.record(v.string(), v.unknown()),
  });
  return v.parse(facts, await docker.info());
}

/** What a script found out about its container; it prints one JSON value with `print`. */
export async function probe(
  docker: TestEngine,
  script: string,
  overrides?: Partial<ContainerSpec>,
): Promise<unknown> {
  const container = await docker.runScript(
    `
    const fs = require("node:fs"), os = require("node:os"), net = require("node:net");
    const { execFileSync, spawn } = require("node:child_process");
    const codeOf = (run) => { try { run(); return "done"; } catch (error) { return error.code; } };
    const print = (value) => console.log(JSON.stringify(value));
    ${script}
  `,
    overrides,
  );
  const said: string[] = [];
  container.onStderr((line) => said.push(line));
  const line = linesOf((listener) => container.onLine(listener))();
  const ended = container.exited.then((exit) => {
    throw new Error(
      `The probe ended without an answer: ${JSON.stringify(exit)} ${said.join("\n")}`,
    );
  });
  try {
    return v.parse(v.pipe(v.string(), v.parseJson()), await Promise.race([line, ended]));
  } finally {
    await container.stop(0);
    await ended.catch(() => {});
  }
}

/** Ids of all containers of `owner`, running or not. */
export async function containersOf(engine: Engine, owner: string): Promise<string[]> {
  const filters = { label: [`${OWNER_LABEL}=${owner}`] };
  const containers = await engine.docker.listContainers({ all: true, filters });
  return containers.map(({ Id }) => Id);
}

/** Lines that a container writes, to be waited for one by one. */
export function linesOf(
  listen: (listener: (line: string) => void) => void,
): () => Promise<string> {
  const lines: string[] = [];
  const waiting: ((line: string) => void)[] = [];
  listen((line) => {
    const next = waiting.shift();
    if (next === undefined) lines.push(line);
    else next(line);
  });
  return () => {
    const line = lines.shift();
    return line === undefined
      ? new Promise((resolve) => waiting.push(resolve))
      : Promise.resolve(line);
  };
}

/** Resolves once `condition` holds; fails after `ms` milliseconds. */
export async function until(
  what: string,
  condition: () => Promise<boolean> | boolean,
  ms = 15_000,
): Promise<void> {
  const deadline = Date.now() + ms;
  while (!(await condition())) {
    assert.ok(Date.now() < deadline, `${what} did not happen within ${ms} ms`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Builds an image from the lines of a Dockerfile, runs `use` with its id, and removes it. */
export async function withImage(
  engine: Engine,
  dockerfile: readonly string[],
  use: (image: string) => Promise<void>,
): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "mcp-runner-test-"));
  let id = "";
  try {
    // An image of its own, even where another test builds the same: it must be removable.
    const lines = [...dockerfile, `LABEL test.build=${randomUUID()}`];
    await writeFile(join(folder, "Dockerfile"), lines.join("\n"));
    await follow({
      what: "build a test image",
      silenceMs: 60_000,
      open: (abortSignal) => {
        const options = { forcerm: true, networkmode: "none", abortSignal };
        return engine.docker.buildImage(Readable.from(pack(folder)), options);
      },
      onMessage: ({ aux }) => {
        id = aux?.ID ?? id;
      },
    });
    await use(id);
  } finally {
    await rm(folder, { recursive: true });
    if (id !== "") await engine.docker.getImage(id).remove({ force: true });
  }
}
