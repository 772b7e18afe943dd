/**
 * A server with `network:` on the whole way: a config, the built runner, the proxy, a host outside, and
 * what the call log tells afterwards.
 *
 * @module
 */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { connectEngine } from "../../runner/docker/engine.ts";
import { SERVER_LABEL } from "../../runner/docker/label.ts";
import { startOutside } from "../support/egress.ts";
import { useEngine } from "../support/engine.ts";
import { eventually } from "../support/eventually.ts";
import { callHeader } from "../support/fake-wire.ts";
import { type FakeTunnel, type FakeWorker, startFakeWorker } from "../support/fake-worker.ts";
import { probeImage } from "../support/probe-image.ts";
import type { Program } from "../support/program.ts";
import { createMachine, type Machine } from "../support/runner.ts";

const SERVER = "goes-out";

const { docker, skip } = await useEngine();
const outside = skip === false ? await startOutside(docker) : undefined;
const { address = "", http = 0, https = 0 } = outside ?? {};

/** A server with one tool: fetches a URL and says what came. */
function fetching(): void {
  // deno-lint-ignore no-process-global -- runs in a container, as a script
  const { exit, stdin, stdout } = process;
  const say = (message: object) =>
    stdout.write(`${JSON.stringify({ jsonrpc: "2.0", ...message })}\n`);
  const get = async (url: string) => {
    try {
      const response = await fetch(url);
      return `${response.status} ${await response.text()}`;
    } catch {
      return "nothing";
    }
  };
  let rest = "";
  stdin.setEncoding("utf8").on("data", (chunk: string) => {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) void take(line);
  }).on("end", () => exit(0));

  async function take(line: string): Promise<void> {
    const { id, method, params } = JSON.parse(line) as {
      readonly id: unknown;
      readonly method: string;
      readonly params: { readonly arguments: { readonly url: string } };
    };
    if (method === "initialize") {
      const serverInfo = { name: "fetching", version: "1" };
      say({
        id,
        result: { protocolVersion: "2025-11-25", capabilities: { tools: {} }, serverInfo },
      });
    } else if (method === "tools/list") {
      say({ id, result: { tools: [{ name: "get", inputSchema: { type: "object" } }] } });
    } else if (method === "tools/call") {
      say({ id, result: { content: [{ type: "text", text: await get(params.arguments.url) }] } });
    } else if (id !== undefined) say({ id, error: { code: -32601, message: "unknown" } });
  }
}

describe("a server with network:", { skip }, () => {
  let worker: FakeWorker;
  let machine: Machine;
  let runner: Program;
  let tunnel: FakeTunnel;
  const frames: string[] = [];
  let calls = 0;

  before(async () => {
    worker = await startFakeWorker({ token: `mcpr_tunnel_${"x".repeat(43)}`, tunnel: "default" });
    machine = await createMachine(`version: 1
servers:
  ${SERVER}:
    source: ${JSON.stringify(`image:${await probeImage()}`)}
    args: ${JSON.stringify(["-e", `(${fetching.toString()})()`])}
    network: ["allowed.example:${http}"]
    extraHosts: ["allowed.example:${address}", "denied.example:${address}"]
    tools: { allow: ["*"] }
`);
    runner = machine.start("connect", worker.origin, "--code", "BCDF-GHJK");
    const ready = runner.printed(/^Ready/m, 120_000);
    await Promise.race([worker.tunnel().then((opened) => tunnel = opened), ready]);
    tunnel.socket.on("message", (data: Buffer) => frames.push(data.toString("utf8")));
    await tunnel.welcome();
    await ready;
  });
  after(async () => {
    await machine[Symbol.asyncDispose]();
    await worker[Symbol.asyncDispose]();
  });

  /** What the server got from a URL. */
  async function get(url: string): Promise<string> {
    const id = `call-${++calls}`;
    const params = { name: `${SERVER}__get`, arguments: { url } };
    tunnel.say(callHeader(id), JSON.stringify(params));
    return await eventually(
      `an answer about ${url}`,
      async () => frames.find((frame) => frame.startsWith(`{"type":"result","id":"${id}"`)),
      30_000,
    );
  }

  test("reaches an allowed host", async () => {
    assert.match(
      await get(`http://allowed.example:${http}/path`),
      new RegExp(`200 GET allowed\\.example:${http}/path`),
    );
  });

  test("reaches no other host, name or address", async () => {
    const before = outside?.connections();
    for (
      const url of [
        `http://denied.example:${http}/`,
        `https://allowed.example:${https}/`,
        `http://${address}:${http}/`,
        `http://169.254.169.254/latest/meta-data/`,
      ]
    ) {
      assert.doesNotMatch(await get(url), /200 GET/);
    }
    assert.equal(outside?.connections(), before);
  });

  test("is told of on the terminal and in the call log, with place, reason and number", async () => {
    await runner.printed(/denied\.example/, 10_000);
    const places = [
      ["denied.example", http],
      ["allowed.example", https],
      [address, http],
      ["169.254.169.254", 80],
    ];
    const { code, stdout, output } = await machine.run("calls", "--all-events", "--json");
    assert.equal(code, 0, output);
    const told = stdout.trim().split("\n").map((line) =>
      (JSON.parse(line) as { readonly event: Record<string, unknown> }).event ?? JSON.parse(line)
    ).filter(({ type }) => type === "egress_blocked");
    for (const [host, port] of places) {
      const fitting = told.filter((event) => event["host"] === host && event["port"] === port);
      assert.equal(fitting.length, 1, `${host}:${port} in ${JSON.stringify(told)}`);
      assert.partialDeepStrictEqual(fitting[0], {
        server: SERVER,
        reason: "is not allowed",
        count: 1,
      });
    }
    const table = await machine.run("calls", "--all-events");
    assert.match(
      table.stdout,
      new RegExp(`egress_blocked .*denied\\.example:${http} is not allowed`),
    );
  });

  test("leaves nothing in the engine", async () => {
    await runner.stop();
    const { docker: api } = await connectEngine();
    const filters = { label: [`${SERVER_LABEL}=${SERVER}`] };
    assert.deepEqual(await api.listContainers({ all: true, filters }), []);
    assert.deepEqual(await api.listNetworks({ filters }), []);
  });
});
