import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { connectEngine } from "../../runner/docker/engine.ts";
import { SERVER_LABEL } from "../../runner/docker/label.ts";
import { eventually } from "../support/eventually.ts";
import { connectLegacy, postModern } from "../support/mcp.ts";
import { probeImage } from "../support/probe-image.ts";
import { probeConfig } from "../support/probe-server.ts";
import type { Program } from "../support/program.ts";
import { connect, createMachine, type Machine } from "../support/runner.ts";
import { freePort, startWorker, type Worker } from "../support/worker.ts";

/** Name of the server of this file: tells its containers from those of others. */
const SERVER = "tunnel-faults";

/** Ids of its containers, running or not. */
async function containers(): Promise<readonly string[]> {
  const { docker } = await connectEngine();
  const filters = { label: [`${SERVER_LABEL}=${SERVER}`] };
  return (await docker.listContainers({ all: true, filters })).map(({ Id }) => Id);
}

describe("a tunnel whose ends come and go", () => {
  let folder: string;
  let port: number;
  let worker: Worker;
  let machine: Machine;
  let runner: Program;
  let token: string;
  /** What a killed runner has left in the engine. */
  let left: readonly string[];

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "mcp-runner-worker-"));
    port = await freePort();
    worker = await startWorker("node", { folder, port });
    machine = await createMachine(probeConfig(await probeImage(), { [SERVER]: "well" }));
    runner = await connect(machine, worker);
    token = await machine.createToken(`${SERVER}__*`);
  });
  after(async () => {
    await machine[Symbol.asyncDispose]();
    await worker.stop();
    await rm(folder, { recursive: true, force: true });
  });

  const call = (tool: string, signal?: AbortSignal): Promise<Response> =>
    postModern({ origin: worker.origin, token }, "tools/call", {
      params: { name: `${SERVER}__${tool}` },
      ...(signal && { signal }),
    });

  test("the tunnel token is kept in a file that only its owner can read", async () => {
    const file = join(machine.home, "credentials.json");
    assert.equal((await stat(file)).mode & 0o777, 0o600);
    assert.match(await readFile(file, "utf8"), /mcpr_tunnel_/);
  });

  test("neither token nor code lies in the worker's store in clear", async () => {
    const store = await readFile(join(folder, "worker.db"), "latin1");
    assert.doesNotMatch(store, new RegExp(token));
    assert.doesNotMatch(store, new RegExp(worker.joinCode));
  });

  test("a join code is good once", async () => {
    const other = await createMachine(probeConfig("unused"));
    const { code, output } = await other.run("connect", worker.origin, "--code", worker.joinCode);
    assert.equal(code, 1);
    assert.match(output, /Cannot join with this code/);
    await other[Symbol.asyncDispose]();
  });

  test("after a restart of the worker the runner is back by itself, and old sessions go on", async () => {
    const client = await connectLegacy({ origin: worker.origin, token });
    await worker.stop();
    worker = await startWorker("node", { folder, port });
    await eventually("the runner has dialled again", async () => {
      const response = await fetch(`${worker.origin}/readyz`);
      return response.ok ? true : undefined;
    }, 30_000);
    const result = await client.callTool({ name: `${SERVER}__echo`, arguments: {} });
    assert.match(JSON.stringify(result), /tools\/call/);
    await client.close();
  });

  test("a runner that is killed fails its calls at once; they may have run", async () => {
    const waiting = call("wait");
    const response = await waiting;
    runner.process.kill("SIGKILL");
    const text = await response.text();
    assert.match(text, /"code":"runner_lost","executed":"unknown"/);
    left = await containers();
    assert.ok(left.length > 0);
  });

  test("while it is away calls fail within 1 s and say what to do, and lists are still answered", async () => {
    const startedAt = performance.now();
    const answer = await (await call("echo")).json() as { error: { message: string } };
    assert.ok(performance.now() - startedAt < 1_000);
    assert.match(
      answer.error.message,
      /is not connected, last seen .* ago; run "npx mcp-runner connect"/,
    );
    const listed = await postModern({ origin: worker.origin, token }, "tools/list");
    assert.match(await listed.text(), /"tunnel-faults__echo"/);
    assert.equal((await fetch(`${worker.origin}/readyz`)).status, 503);
  });

  test("the next start needs no code, and clears what the killed one left", async () => {
    runner = machine.start("connect");
    await runner.printed(/^Ready/m, 60_000);
    assert.match(await (await call("echo")).text(), /tools\/call/);
    const now = await containers();
    assert.ok(now.length > 0);
    assert.deepEqual(now.filter((id) => left.includes(id)), []);
  });

  test("SIGTERM lets nothing behind", async () => {
    assert.equal(await runner.stop("SIGTERM"), 0);
    assert.deepEqual(await containers(), []);
  });

  test("Ctrl-C ends with 130 and leaves nothing behind", async () => {
    runner = machine.start("connect");
    await runner.printed(/^Ready/m, 60_000);
    assert.equal(await runner.stop("SIGINT"), 130);
    assert.deepEqual(await containers(), []);
  });

  test("a revoked token ends the runner with an explanation", async () => {
    runner = machine.start("connect");
    await runner.printed(/^Ready/m, 60_000);
    const { stdout } = await machine.run("token", "ls", "--json");
    const { tokens } = JSON.parse(stdout) as { tokens: readonly { id: string; kind: string }[] };
    const own = tokens.find(({ kind }) => kind === "tunnel")?.id ?? "";
    assert.equal((await machine.run("token", "revoke", own)).code, 0);
    assert.equal(await runner.exit, 1);
    assert.match(runner.output(), /tunnel token of this machine was revoked/);
    assert.deepEqual(await containers(), []);
  });

  test("a runner with a revoked token is told so when it dials, and does not try again", async () => {
    const { code, output } = await machine.run("connect");
    assert.equal(code, 1);
    assert.match(output, /was revoked, run "mcp-runner disconnect"/);
  });

  test("disconnect forgets the worker", async () => {
    assert.equal((await machine.run("disconnect")).code, 0);
    const { code, output } = await machine.run("connect");
    assert.equal(code, 2);
    assert.match(output, /has joined no worker yet/);
  });
});
