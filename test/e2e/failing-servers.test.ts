import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { postModern } from "../support/mcp.ts";
import { probeImage } from "../support/probe-image.ts";
import { probeConfig } from "../support/probe-server.ts";
import type { Program } from "../support/program.ts";
import { connect, createMachine, type Machine } from "../support/runner.ts";
import { startWorker, type Worker } from "../support/worker.ts";

interface Answer {
  readonly result?: { readonly content: readonly [{ readonly text: string }] };
  readonly error?: {
    readonly code: number;
    readonly message: string;
    readonly data?: { readonly code: string; readonly executed: string };
  };
}

describe("servers that fail, beside one that works", () => {
  let worker: Worker;
  let machine: Machine;
  let program: Program;
  let token: string;

  before(async () => {
    worker = await startWorker("node");
    const config = probeConfig(await probeImage(), {
      probe: "well",
      exits: "exits",
      silent: "silent",
      toolless: "no-tools",
    });
    machine = await createMachine(
      `${config}  absent: { source: "image:mcp-runner.invalid/none:1", tools: { allow: ["*"] } }\n`,
    );
    program = await connect(machine, worker);
    token = await machine.createToken("*");
  });
  after(async () => {
    await machine[Symbol.asyncDispose]();
    await worker.stop();
  });

  async function call(name: string, args: Record<string, unknown> = {}): Promise<Answer> {
    const params = { name, arguments: args };
    const response = await postModern({ origin: worker.origin, token }, "tools/call", { params });
    const text = await response.text();
    const [, data] = /^data: (.*)$/m.exec(text.slice(text.lastIndexOf("event: message"))) ?? [];
    return JSON.parse(data ?? text) as Answer;
  }
  async function works(): Promise<void> {
    assert.match((await call("probe__echo")).result?.content[0].text ?? "", /tools\/call/);
  }

  test("one that exits at once is named with its exit code and its last words", async () => {
    assert.match(program.output(), /Cannot start server "exits": it exited with code 3/);
    assert.match(program.output(), /stderr: cannot start: the moon is in the wrong phase/);
    await works();
  });

  test("one that never answers initialize is given up after 30 s, with a hint", () => {
    assert.match(
      program.output(),
      /Cannot start server "silent": it did not answer initialize within 30 s, is it an MCP server/,
    );
  });

  test("one without an image is named to its owner, and a caller is told whom to ask", async () => {
    assert.match(program.output(), /mcp-runner\.invalid\/none:1/);
    const { error } = await call("absent__anything");
    assert.equal(error?.data?.code, "image_missing");
    assert.equal(error?.data?.executed, "no");
    assert.equal(
      error?.message,
      'Cannot start server "absent": its image could not be pulled or made; its owner sees why ' +
        'with "mcp-runner inspect absent"',
    );
    await works();
  });

  test("a call to one that cannot start says why, without its stderr", async () => {
    const { error } = await call("exits__echo");
    assert.equal(error?.data?.code, "server_failed");
    assert.match(error?.message ?? "", /it exited with code 3/);
    assert.doesNotMatch(JSON.stringify(error), /moon/);
    await works();
  });

  test("one without tools offers nothing, and its tools do not exist", async () => {
    const { error } = await call("toolless__echo");
    assert.equal(error?.code, -32602);
  });

  test("what is no message on stdout is skipped", async () => {
    assert.match((await call("probe__garbage")).result?.content[0].text ?? "", /survived/);
  });

  test("answers to requests that were never sent reach nobody", async () => {
    assert.match((await call("probe__forged")).result?.content[0].text ?? "", /genuine/);
  });

  test("a JSON-RPC error of a server reaches the caller as the server wrote it", async () => {
    const { error } = await call("probe__fail");
    assert.deepEqual(error, { code: -32050, message: "probe says no", data: { why: 1 } });
  });

  test("a crash fails the call in flight clearly, and the next call starts it again", async () => {
    const waiting = call("probe__wait");
    const crashed = await call("probe__crash");
    assert.equal(crashed.error?.data?.code, "server_crashed");
    assert.equal(crashed.error?.data?.executed, "unknown");
    assert.match(crashed.error?.message ?? "", /it exited with code 7/);
    assert.equal((await waiting).error?.data?.code, "server_crashed");
    await program.printed(/the end is near/);
    await works();
  });

  test("a denied tool answers exactly like one that does not exist, and never arrives", async () => {
    const denied = await call("probe__secret", { key: "canary" });
    const unknown = await call("probe__nosuch", { key: "canary" });
    assert.deepEqual(denied.error, { ...unknown.error, message: "Unknown tool: probe__secret" });
    const seen = await call("probe__seen");
    assert.doesNotMatch(JSON.stringify(seen), /canary/);
  });
});
