import assert from "node:assert/strict";
import { createServer } from "node:net";
import { after, before, describe, test } from "node:test";
import { connectEngine } from "../../runner/docker/engine.ts";
import { SERVER_LABEL } from "../../runner/docker/label.ts";
import { postModern } from "../support/mcp.ts";
import { probeImage } from "../support/probe-image.ts";
import { probeConfig } from "../support/probe-server.ts";
import { built, NODE, startProgram } from "../support/program.ts";
import { createMachine, type Machine } from "../support/runner.ts";
import { freePort } from "../support/worker.ts";

describe("the command line", () => {
  let machine: Machine;

  before(async () => {
    machine = await createMachine(probeConfig(await probeImage(), { cli: "well" }));
  });
  after(() => machine[Symbol.asyncDispose]());

  test("up --once makes one real call, prints it as JSON, and leaves nothing behind", async () => {
    const tried = ["--try", "cli__echo", "--args", '{"n":1.0}'];
    const { code, stdout, output } = await machine.run(
      "up",
      "--once",
      "--json",
      "--port",
      "0",
      ...tried,
    );
    assert.equal(code, 0, output);
    const said = JSON.parse(stdout) as {
      ok: boolean;
      url: string;
      server: { name: string; image: string; containerId: string };
      tool: string;
      result: { content: [{ text: string }] };
      ms: { cold: number; warm: number };
    };
    assert.equal(said.ok, true);
    assert.match(said.url, /^http:\/\/127\.0\.0\.1:\d+\/mcp$/);
    assert.match(said.server.containerId, /^[0-9a-f]{64}$/);
    assert.match(said.result.content[0].text, /"arguments":\{"n":1\.0\}/);
    assert.ok(said.ms.cold > said.ms.warm);
    const { docker } = await connectEngine();
    const filters = { label: [`${SERVER_LABEL}=cli`] };
    assert.deepEqual(await docker.listContainers({ all: true, filters }), []);
  });

  test("up keeps its token over restarts and stops with 130 at Ctrl-C", async () => {
    const port = String(await freePort());
    const tokens: string[] = [];
    for (let start = 0; start < 2; start++) {
      const program = machine.start("up", "--json", "--port", port);
      await program.printed(/\{"ok":true.*\n/);
      const { url, token } = JSON.parse(program.stdout()) as { url: string; token: string };
      tokens.push(token);
      const listed = await postModern({ origin: new URL(url).origin, token }, "tools/list");
      assert.match(await listed.text(), /cli__echo/);
      assert.equal(await program.stop("SIGINT"), 130);
    }
    assert.equal(tokens[0], tokens[1]);
  });

  test("up says who has the port", async () => {
    const server = createServer();
    await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    const { code, output } = await machine.run("up", "--port", String(port));
    assert.equal(code, 2);
    assert.match(output, new RegExp(`port ${port} is in use.*--port`));
    await new Promise((resolve) => server.close(resolve));
  });

  test("tools ls and tools call work without a worker", async () => {
    const listed = await machine.run("tools", "ls");
    assert.equal(listed.code, 0);
    assert.match(listed.stdout, /^cli__echo/m);
    assert.doesNotMatch(listed.stdout, /secret/);

    const args = ["--args", '{"message":"from here"}', "--json"];
    const called = await machine.run("tools", "call", "cli__echo", ...args);
    assert.equal(called.code, 0);
    assert.equal((JSON.parse(called.stdout) as { ok: boolean }).ok, true);
    assert.match(called.stdout, /from here/);
  });

  const wrong: Array<[why: string, args: string[], code: number, message: RegExp]> = [
    ["an unknown command", ["start"], 2, /no command "start", see "mcp-runner --help"/],
    ["a command with a slip", ["inspct"], 2, /no command "inspct", did you mean "inspect"/],
    [
      "an unknown option",
      ["up", "--prot", "1"],
      2,
      /Unknown option --prot, did you mean --port\nUsage: mcp-runner up/,
    ],
    ["a denied tool", ["tools", "call", "probe__secret"], 1, /Unknown tool: probe__secret/],
    ["arguments that are no JSON", ["tools", "call", "probe__echo", "--args", "{a}"], 2, /--args/],
    [
      "a config that is not there",
      ["up", "--config", "no.yaml"],
      2,
      /no\.yaml: there is no such file/,
    ],
    ["a worker over plain http elsewhere", ["connect", "http://example.com"], 2, /https:\/\//],
    [
      "a worker that nobody runs",
      ["connect", "http://127.0.0.1:9", "--code", "BCDF-GHJK"],
      1,
      /Cannot reach a worker/,
    ],
    [
      "a worker to join without a code and a person to type it",
      ["connect", "http://127.0.0.1:9"],
      2,
      /has not joined http:\/\/127\.0\.0\.1:9: give its join code with --code/,
    ],
    ["connect without any worker", ["connect"], 2, /has joined no worker yet/],
    ["a token command without a worker", ["token", "ls"], 2, /has joined no worker yet/],
  ];
  for (const [why, args, code, message] of wrong) {
    test(`${why} ends with ${code} and says what to do`, async () => {
      const fresh = await createMachine(probeConfig(await probeImage()));
      const ended = await fresh.run(...args);
      assert.match(ended.output, message);
      assert.equal(ended.code, code);
      assert.doesNotMatch(ended.output, /^\s+at /m);
      await fresh[Symbol.asyncDispose]();
    });
  }

  test("a typo in the config is named with its line and column, and nothing is started", async () => {
    const typo = await createMachine("version: 1\nservers:\n  probe:\n    sorce: image:x\n");
    const { code, output } = await typo.run("up", "--port", "0");
    assert.equal(code, 2);
    assert.match(output, /mcp-runner\.yaml:4:5 .*source/);
    await typo[Symbol.asyncDispose]();
  });

  test("an engine that is down is named in one line", async () => {
    const dead = startProgram(NODE, [built("runner.js"), "tools", "ls"], {
      cwd: machine.folder,
      env: { MCP_RUNNER_HOME: machine.home, DOCKER_HOST: "unix:///nonexistent/docker.sock" },
    });
    assert.equal(await dead.exit, 1);
    assert.match(
      dead.output(),
      /Cannot reach the Docker engine at unix:\/\/\/nonexistent.*start it/,
    );
  });
});
