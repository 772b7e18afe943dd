import assert from "node:assert/strict";
import { mkdir, mkdtemp, realpath, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { GatewayError } from "../../src/errors.ts";
import { callSpec } from "../../runner/commands-server/call.ts";
import { CommandsServer, type RunTool } from "../../runner/commands-server/server.ts";
import type { CommandTool } from "../../runner/config/command-tool.ts";
import { VOLUME_PLACE } from "../support/catalog.ts";

const TOOL: CommandTool = {
  name: "cut",
  description: "Cuts",
  inputSchema: JSON.stringify({
    type: "object",
    properties: {
      args: { type: "array", items: { type: "string" } },
      count: { type: "integer", minimum: 1 },
      loud: { type: "boolean" },
    },
    required: ["args"],
  }),
  image: "ada/cut",
  command: ["--count={{count}}", "{{loud}}", "{{args|into}}", '{"json":{}}'],
  volumes: [],
};

const NOWHERE = { volumes: VOLUME_PLACE, open: [] };

test("arguments become the command: lists as items, numbers and booleans as they are", async () => {
  const { command } = await callSpec(
    TOOL,
    { args: ["-a", "b c", "$(x)"], count: 1_000_000, loud: true },
    NOWHERE,
  );
  assert.deepEqual(command, ["--count=1000000", "true", "-a", "b c", "$(x)", '{"json":{}}']);
});

const wrong: Array<[args: Record<string, unknown>, message: RegExp]> = [
  [{}, /the argument "args" is missing/],
  [{ args: "a" }, /the argument "args" is not of the type array/],
  [{ args: [], count: 1.5 }, /the argument "count" is not of the type integer/],
  [{ args: [], loud: "true" }, /the argument "loud" is not of the type boolean/],
  [{ args: ["a\0b"] }, /holds a zero character/],
  [{ args: Array(9).fill("a".repeat(200_000)) }, /its arguments are too long/],
];

for (const [args, message] of wrong) {
  test(`a call is refused: ${message.source}`, async () => {
    await assert.rejects(callSpec(TOOL, args, NOWHERE), { code: "invalid_params", message });
  });
}

test("a call may name files of the folders that the config opens, and of no other", async (t) => {
  const root = await realpath(await mkdtemp(join(tmpdir(), "mcp-runner-test-")));
  t.after(() => rm(root, { recursive: true }));
  await mkdir(join(root, "open", "in"), { recursive: true });
  await mkdir(join(root, "closed"));
  await writeFile(join(root, "closed", "secret"), "");
  await symlink(join(root, "closed"), join(root, "open", "way-out"));
  const tool: CommandTool = {
    ...TOOL,
    inputSchema: '{"type":"object"}',
    command: [],
    volumes: ["{{path}}:/in"],
  };
  const open = { hostPath: join(root, "open"), containerPath: "/open" };
  const call = async (path: string, readOnly = true, volumes = tool.volumes) => {
    const place = { volumes: VOLUME_PLACE, open: [{ ...open, readOnly }] };
    return (await callSpec({ ...tool, volumes }, { path }, place)).volumes;
  };

  const inside = { hostPath: join(root, "open", "in"), containerPath: "/in", readOnly: true };
  assert.deepEqual(await call(join(root, "open", "in")), [inside]);
  assert.deepEqual(await call(join(root, "closed", "..", "open", "in")), [inside]);
  assert.deepEqual(await call(join(root, "open"), false), [
    { hostPath: join(root, "open"), containerPath: "/in", readOnly: false },
  ]);

  // A run could change what lies in a folder that it can write to: it gets the folder as a whole.
  const same = ["{{path}}:{{path}}", "{{path}}:{{path}}"];
  assert.deepEqual(await call(join(root, "open", "in"), false, same), [
    { hostPath: join(root, "open"), containerPath: join(root, "open"), readOnly: false },
  ]);
  await assert.rejects(call(join(root, "open", "in"), false), {
    code: "invalid_params",
    message: /is in a folder that can be written to, name that folder itself/,
  });

  const refused = (path: string, message: RegExp) =>
    assert.rejects(call(path), { code: "invalid_params", message });
  await refused(join(root, "closed"), /is not in a folder that this server may see/);
  await refused(join(root, "open", "..", "closed", "secret"), /is not in a folder/);
  await refused(join(root, "open", "way-out"), /is not in a folder/);
  await refused(join(root, "open", "missing"), /is not in a folder/);
  await refused(root, /is not in a folder/);
  await refused("/var/run/docker.sock", /is not a volume that this server may have/);
  await refused("claude-memory", /"claude-memory" is not a path/);
  await refused(`${join(root, "open")}:/elsewhere`, /is not a volume that/);
  // Where a relative path leads is nothing that a caller need know.
  await refused("./closed", /: "\.\/closed:\/in" is not in a folder/);
});

/** A server whose runs are those of the test, and the lines that it answers. */
function serverWith(run: RunTool, callMs = 60_000) {
  const server = new CommandsServer({ name: "cutter", tools: [TOOL], run, callMs });
  const waiting = new Map<unknown, (answer: Record<string, unknown>) => void>();
  server.onLine((line) => {
    const answer = JSON.parse(line) as Record<string, unknown>;
    waiting.get(answer["id"])?.(answer);
  });
  const ask = (id: unknown, method: string, params: object = {}) =>
    new Promise<Record<string, unknown>>((resolve) => {
      waiting.set(id, resolve);
      server.write(JSON.stringify({ jsonrpc: "2.0", id, method, params }));
    });
  return { server, ask };
}

const printed = (text: string) => ({ text, isCut: false });
const ran = { stdout: printed(""), stderr: printed(""), code: 0, oomKilled: false, warnings: [] };
const call = { name: "cut", arguments: { args: [] } };

test("the server lists its tools with the schemas that the catalog has", async () => {
  const { ask } = serverWith(() => Promise.resolve(ran));
  const { result } = await ask(1, "initialize", { protocolVersion: "2025-11-25" });
  assert.deepEqual((result as { capabilities: unknown }).capabilities, { tools: {} });
  const listed = await ask("a", "tools/list");
  const inputSchema: unknown = JSON.parse(TOOL.inputSchema);
  assert.deepEqual(listed["result"], {
    tools: [{ name: "cut", description: "Cuts", inputSchema }],
  });
  assert.deepEqual((await ask(2, "ping"))["result"], {});
});

test("what is printed is the result; what fails says why, with both outputs", async () => {
  const result = async (change: Partial<typeof ran>) => {
    const { ask } = serverWith(() => Promise.resolve({ ...ran, ...change }));
    return (await ask(1, "tools/call", call))["result"];
  };
  const texts = (...all: string[]) => all.map((text) => ({ type: "text", text }));
  assert.deepEqual(await result({ stdout: printed("a\n\nb\n") }), {
    content: texts("a\n\nb\n"),
    isError: false,
  });
  assert.deepEqual(await result({ stdout: printed("out"), stderr: printed("err"), code: 2 }), {
    content: texts("out", "err", "cut failed with exit code 2"),
    isError: true,
  });
  assert.deepEqual(await result({ code: 137, oomKilled: true }), {
    content: texts("cut ran out of memory"),
    isError: true,
  });
  assert.deepEqual(await result({ stdout: { text: "a", isCut: true } }), {
    content: texts("a\n(cut here: more was printed than is kept)"),
    isError: false,
  });
});

test("requests that cannot be served are answered with their error", async () => {
  const { ask } = serverWith(() => Promise.reject(new GatewayError("image_missing", "No image")));
  const code = async (method: string, params?: object) => {
    const { error } = await ask(1, method, params);
    return (error as { code: number }).code;
  };
  assert.equal(await code("server/discover"), -32601);
  assert.equal(await code("tools/call", {}), -32602);
  assert.equal(await code("tools/call", { name: "saw" }), -32602);
  assert.equal(await code("tools/call", call), 1009);
});

test("what the engine says is for the owner, not for clients", async () => {
  const said = "Cannot create a container of image registry.corp/x: no space in /var/lib/docker";
  const { server, ask } = serverWith(() => Promise.reject(new GatewayError("server_failed", said)));
  const stderr: string[] = [];
  server.onStderr((line) => void stderr.push(line));
  const { error } = await ask(1, "tools/call", call);
  assert.doesNotMatch(JSON.stringify(error), /registry|docker/);
  assert.deepEqual(stderr, [`${call.name}: ${said}`]);
});

test("a cancelled call ends its run and is not answered; a late one is", async () => {
  let ended: unknown;
  const untilStopped: RunTool = (_tool, _args, signal) =>
    new Promise((_, reject) => {
      signal.addEventListener("abort", () => {
        ended = signal.reason;
        reject(new Error("stopped"));
      });
    });
  const { server, ask } = serverWith(untilStopped);
  let isAnswered = false;
  void ask(7, "tools/call", call).then(() => isAnswered = true);
  await ask(8, "ping");
  server.write('{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":7}}');
  await server.stop();
  assert.ok(ended !== undefined);
  assert.equal(isAnswered, false);
  assert.deepEqual(await server.exited, { code: 0, oomKilled: false, reason: "closed" });
  assert.throws(() => server.write("{}"), { code: "server_failed" });

  const late = serverWith(untilStopped, 20);
  const { error } = await late.ask(1, "tools/call", call);
  assert.match((error as { message: string }).message, /did not end within 0.02 s and was stopped/);
});

test("at most eight runs are made at once; the others wait their turn", async () => {
  let open: () => void = () => {};
  const gate = new Promise<void>((resolve) => open = resolve);
  let running = 0;
  let most = 0;
  const { ask } = serverWith(async () => {
    most = Math.max(most, ++running);
    await gate;
    running--;
    return ran;
  });
  const answers = Array.from({ length: 20 }, (_, id) => ask(id, "tools/call", call));
  await ask("p", "ping");
  assert.equal(running, 8);
  open();
  await Promise.all(answers);
  assert.equal(most, 8);
  assert.equal(running, 0);
});

test("lines that are no requests are passed over", async () => {
  const { server, ask } = serverWith(() => Promise.resolve(ran));
  for (const line of ["", "nonsense", "[]", '{"id":{}}', '{"jsonrpc":"2.0","id":1,"result":{}}']) {
    server.write(line);
  }
  assert.deepEqual((await ask(1, "ping"))["result"], {});
});
