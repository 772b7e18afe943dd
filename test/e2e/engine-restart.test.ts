/**
 * The engine goes away and comes back, and the runner lives on. The engine is one of the test's own.
 *
 * @module
 */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { Engine } from "../../runner/docker/engine.ts";
import { OWNER_LABEL } from "../../runner/docker/label.ts";
import { ensureBaseImage } from "../../runner/image/base-image.ts";
import { eventually } from "../support/eventually.ts";
import { probeConfig } from "../support/probe-server.ts";
import type { Program } from "../support/program.ts";
import { connect, createMachine, type Machine } from "../support/runner.ts";
import {
  createSecondEngine,
  type SecondEngine,
  secondEngineObstacle,
} from "../support/second-engine.ts";
import { type Answer, callTool, textOf } from "../support/tool-call.ts";
import { startWorker, type Worker } from "../support/worker.ts";

const obstacle = secondEngineObstacle();
if (obstacle !== undefined) console.error(`The restart of an engine is not tested: ${obstacle}`);

describe("a runner whose engine goes away", { skip: obstacle ?? false }, () => {
  let second: SecondEngine;
  let engine: Engine;
  let worker: Worker;
  let machine: Machine;
  let runner: Program;
  let token: string;

  before(async () => {
    second = await createSecondEngine();
    engine = await second.start();
    const { image } = await ensureBaseImage(engine, () => {});
    worker = await startWorker("node");
    machine = await createMachine(probeConfig(image), { DOCKER_HOST: second.host });
    runner = await connect(machine, worker);
    token = await machine.createToken("*");
  });
  after(async () => {
    await machine?.[Symbol.asyncDispose]();
    await worker?.stop();
    await second?.[Symbol.asyncDispose]();
  });

  const call = (tool: string): Promise<Answer> =>
    callTool({ origin: worker.origin, token }, { name: `probe__${tool}` });
  /** All that is ours in the engine. */
  const left = async (): Promise<readonly string[]> => {
    const filters = { label: [OWNER_LABEL] };
    return (await engine.docker.listContainers({ all: true, filters })).map(({ Id }) => Id);
  };
  /** Resolves when a call that waits has arrived at the server. */
  const arrived = (): Promise<true> =>
    eventually(
      "the call has arrived",
      async () => /name\\?":\\?"wait/.test(textOf(await call("seen"))) || undefined,
    );

  for (const signal of ["SIGTERM", "SIGKILL"] as const) {
    describe(`by ${signal}`, () => {
      test("calls work before", async () => {
        assert.match(textOf(await call("echo")), /tools\/call/);
      });

      test("a call in flight ends with an error that says it may have run", async () => {
        const waiting = call("wait");
        await arrived();
        await second.end(signal);
        const { error } = await waiting;
        assert.equal(error?.data?.code, "server_crashed");
        assert.equal(error.data.executed, "unknown");
      });

      test("calls while it is away fail at once, with what to do", async () => {
        const startedAt = performance.now();
        const { error } = await call("echo");
        assert.ok(performance.now() - startedAt < 5_000);
        assert.equal(error?.data?.code, "engine_unavailable");
        assert.equal(error.data.executed, "no");
        assert.match(error.message, /cannot run containers now.*"mcp-runner inspect probe"/);
        await runner.printed(/Docker engine.*(start it|see whether it still runs)/, 5_000);
      });

      test("calls work again when it is back, without a restart of the runner", async () => {
        engine = await second.start();
        const answer = await eventually("a call works", async () => {
          const answer = await call("echo");
          return answer.error === undefined ? answer : undefined;
        }, 20_000);
        assert.match(textOf(answer), /tools\/call/);
        assert.equal(runner.process.exitCode, null);
      });

      test("nothing of before is left beside what runs now", async () => {
        // One container takes the calls; a server of the older era has no other.
        await eventually(
          "one container is left",
          async () => (await left()).length === 1 || undefined,
          20_000,
        );
      });
    });
  }

  test("an engine that is away at the end keeps the runner from nothing", async () => {
    await call("echo");
    await second.end("SIGKILL");
    assert.equal(await runner.stop("SIGTERM"), 0);
    engine = await second.start();
    await eventually("nothing is left", async () => (await left()).length === 0 || undefined);
  });
});
