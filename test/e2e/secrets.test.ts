/**
 * A secret on its whole way: set by its user, stored, handed to a server in a container, used there,
 * and found nowhere else.
 *
 * @module
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { connectEngine } from "../../runner/docker/engine.ts";
import { SERVER_LABEL } from "../../runner/docker/label.ts";
import { formsOf } from "../../runner/secrets/forms.ts";
import { eventually } from "../support/eventually.ts";
import { startFakeWorker } from "../support/fake-worker.ts";
import type { FakeTunnel, FakeWorker } from "../support/fake-worker.ts";
import { callHeader } from "../support/fake-wire.ts";
import { probeImage } from "../support/probe-image.ts";
import { built, NODE, type Program } from "../support/program.ts";
import { createMachine, type Machine } from "../support/runner.ts";

const TOKEN = `tok/${randomBytes(12).toString("hex")}"+✓`;
const KEY = `-----BEGIN KEY-----\n${randomBytes(36).toString("base64")}\n-----END KEY-----\n`;
const FORMS = [TOKEN, KEY].flatMap((value) => [...formsOf(value)]);

/** A server that proves what it has by hashes, and tells it to everybody when asked to. */
function secretive(): void {
  // deno-lint-ignore no-process-global -- runs in a container, as a script
  const { env, exit, stderr, stdin, stdout } = process;
  const fs = require("node:fs") as typeof import("node:fs");
  const crypto = require("node:crypto") as typeof import("node:crypto");
  const token = env["TOKEN"] ?? "";
  const key = env["KEY_FILE"] === undefined ? "" : fs.readFileSync(env["KEY_FILE"], "utf8");
  const hash = (text: string) => crypto.createHash("sha256").update(text).digest("hex");
  const all = () =>
    [token, key].flatMap((text) => [
      text,
      JSON.stringify({ text }),
      Buffer.from(`user:${text}`).toString("base64"),
      encodeURIComponent(text),
      Buffer.from(text).toString("hex"),
    ]);
  const answers: Record<string, () => unknown> = {
    proof: () => ({ token: hash(token), key: hash(key) }),
    names: () => Object.keys(env),
    leak: () => all(),
    crash: () => {
      for (const text of all()) stderr.write(`${text}\n`);
      stderr.write(token.slice(0, 9));
      setTimeout(() => {
        stderr.write(`${token.slice(9)}\n`);
        exit(7);
      }, 100);
    },
  };
  const say = (message: object) =>
    stdout.write(`${JSON.stringify({ jsonrpc: "2.0", ...message })}\n`);
  let rest = "";
  stdin.setEncoding("utf8").on("data", (chunk: string) => {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) take(line);
  }).on("end", () => exit(0));

  function take(line: string): void {
    const { id, method, params } = JSON.parse(line) as {
      readonly id: unknown;
      readonly method: string;
      readonly params: { readonly name: string };
    };
    if (method === "initialize") {
      const serverInfo = { name: "secretive", version: "1" };
      say({
        id,
        result: { protocolVersion: "2025-11-25", capabilities: { tools: {} }, serverInfo },
      });
    } else if (method === "tools/list") {
      const tools = Object.keys(answers).map((name) => ({ name, inputSchema: { type: "object" } }));
      say({ id, result: { tools } });
    } else if (method === "tools/call") {
      const structuredContent = answers[params.name]?.();
      if (structuredContent === undefined) return;
      const text = JSON.stringify(structuredContent);
      say({
        id,
        result: { content: [{ type: "text", text }], structuredContent: { of: structuredContent } },
      });
    } else if (id !== undefined) say({ id, error: { code: -32601, message: "unknown" } });
  }
}

/** Servers of the test; the names tell its containers from those of others. */
function configOf(image: string): string {
  const entry = (name: string, ...lines: readonly string[]) =>
    [
      `  ${name}:`,
      `source: ${JSON.stringify(`image:${image}`)}`,
      `args: ${JSON.stringify(["-e", `(${secretive.toString()})()`])}`,
      'tools: { allow: ["*"] }',
      ...lines,
    ].join("\n    ");
  const secrets = "secrets: { TOKEN: store:e2e-token }";
  return [
    "version: 1",
    "servers:",
    entry("keeps-secrets", secrets, "secretFiles: { KEY_FILE: store:e2e-key }"),
    entry("shows-secrets", secrets, "redactResults: false"),
    entry("has-no-secrets"),
    entry("lacks-a-secret", "secrets: { TOKEN: store:never-set }"),
    "",
  ].join("\n");
}

const SERVERS = ["keeps-secrets", "shows-secrets", "has-no-secrets", "lacks-a-secret"];

/** The forms of the secrets that are in a text. */
function found(text: string): readonly string[] {
  return FORMS.filter((form) => text.includes(form));
}

/** Everything below a folder, as text in which bytes can be looked for. */
async function textBelow(folder: string): Promise<string> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  assert.ok(files.length > 0);
  const texts = files.map(({ parentPath, name }) => readFile(join(parentPath, name), "utf8"));
  return [...files.map(({ name }) => name), ...await Promise.all(texts)].join("\n");
}

describe("a secret of a server", () => {
  let worker: FakeWorker;
  let machine: Machine;
  let runner: Program;
  let tunnel: FakeTunnel;
  /** All that the worker was told. */
  const frames: string[] = [];
  let calls = 0;

  function keep(name: string, value: string): void {
    execFileSync(NODE, [built("runner.js"), "secret", "set", name, "--store", "file"], {
      input: value,
      cwd: machine.folder,
      env: { ...process.env, MCP_RUNNER_HOME: machine.home },
      stdio: ["pipe", "ignore", "ignore"],
    });
  }

  before(async () => {
    worker = await startFakeWorker({ token: `mcpr_tunnel_${"x".repeat(43)}`, tunnel: "default" });
    machine = await createMachine(configOf(await probeImage()));
    keep("e2e-token", TOKEN);
    keep("e2e-key", `${KEY}\n`);
    runner = machine.start("connect", worker.origin, "--code", "BCDF-GHJK");
    const ready = runner.printed(/^Ready/m, 120_000);
    await Promise.race([worker.tunnel().then((opened) => tunnel = opened), ready]);
    tunnel.socket.on("message", (data: Buffer) => frames.push(data.toString("utf8")));
    await tunnel.welcome();
    await ready;
    await eventually(
      "all servers are offered",
      async () =>
        SERVERS.slice(0, 3).every((name) =>
          frames.some((frame) => frame.includes(`${name}__proof`))
        ) ||
        undefined,
    );
  });
  after(async () => {
    await machine[Symbol.asyncDispose]();
    await worker[Symbol.asyncDispose]();
  });

  /** Calls a tool and waits for the frame that ends the call. */
  async function call(name: string): Promise<string> {
    const id = `call-${++calls}`;
    tunnel.say(callHeader(id), JSON.stringify({ name, arguments: {} }));
    return await eventually(
      `an answer of ${name}`,
      async () =>
        frames.find((frame) =>
          frame.startsWith(`{"type":"result","id":"${id}"`) ||
          frame.startsWith(`{"type":"error","id":"${id}"`)
        ),
    );
  }

  /** Containers of this test's servers. */
  async function containers() {
    const { docker } = await connectEngine();
    const filters = { label: SERVERS.map((name) => `${SERVER_LABEL}=${name}`) };
    const found = await Promise.all(
      filters.label.map((label) =>
        docker.listContainers({ all: true, filters: { label: [label] } })
      ),
    );
    return found.flat().map(({ Id }) => docker.getContainer(Id));
  }

  test("reaches it, as a variable and as a file", async () => {
    const hash = (text: string) => createHash("sha256").update(text).digest("hex");
    const answer = await call("keeps-secrets__proof");
    assert.ok(answer.includes(hash(TOKEN)), answer);
    assert.ok(answer.includes(hash(KEY)), answer);
  });

  test("reaches no server that does not name it", async () => {
    const names = await call("has-no-secrets__names");
    assert.match(names, /PATH/);
    assert.doesNotMatch(names, /TOKEN|KEY_FILE|MCP_RUNNER/);
    assert.doesNotMatch(await call("keeps-secrets__names"), /MCP_RUNNER/);
  });

  test("is in no result, unless its user wants it so", async () => {
    const leaked = await call("keeps-secrets__leak");
    assert.match(leaked, /^\{"type":"result"/);
    assert.deepEqual(found(leaked), []);
    assert.match(leaked, /\[secret e2e-token\]/);
    const [, payload = ""] = leaked.split("\n");
    assert.doesNotThrow(() => JSON.parse(payload));

    const shown = await call("shows-secrets__leak");
    assert.notDeepEqual(found(shown), []);
    frames.splice(frames.indexOf(shown), 1);
  });

  test("is not in what the engine tells of its container", async () => {
    const all = await containers();
    assert.ok(all.length >= 1);
    for (const container of all) {
      assert.deepEqual(found(JSON.stringify(await container.inspect())), []);
      const { State } = await container.inspect();
      if (State.Running) assert.deepEqual(found(JSON.stringify(await container.top())), []);
    }
  });

  test("is in no argument of any process", { skip: process.platform !== "linux" }, async () => {
    const ids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
    for (const id of ids) {
      const line = await readFile(`/proc/${id}/cmdline`, "utf8").catch(() => "");
      assert.deepEqual(found(line), []);
    }
  });

  test("is not in what a server says at its end", async () => {
    const answer = await call("keeps-secrets__crash");
    assert.match(answer, /server_crashed/);
    assert.deepEqual(found(answer), []);
    await runner.printed(/\[secret e2e-token\]/, 10_000);
    assert.deepEqual(found(runner.output()), []);
  });

  test("is in no file of its user's machine, and in no frame of the tunnel", async () => {
    assert.deepEqual(found(await textBelow(machine.folder)), []);
    assert.deepEqual(found(frames.join("\n")), []);
    assert.deepEqual(found(runner.output()), []);
  });

  test("that is missing keeps its server from starting, and the user is told what to do", () => {
    assert.match(
      runner.output(),
      /"lacks-a-secret".*store:never-set is missing, run: mcp-runner secret set never-set/,
    );
    assert.ok(!frames.some((frame) => frame.includes("lacks-a-secret__proof")));
  });

  test("that is changed is what its server has from then on", async () => {
    const changed = `changed-${randomBytes(12).toString("hex")}`;
    keep("e2e-token", changed);
    const hash = createHash("sha256").update(changed).digest("hex");
    await eventually(
      "the server has the new value",
      async () => (await call("keeps-secrets__proof")).includes(hash) || undefined,
      30_000,
    );
    assert.ok(!runner.output().includes(changed) && !frames.join().includes(changed));
  });
});
