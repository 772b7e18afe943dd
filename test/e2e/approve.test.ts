import assert from "node:assert/strict";
import { access, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { connectEngine } from "../../runner/docker/engine.ts";
import { SERVER_LABEL } from "../../runner/docker/label.ts";
import { probeImage } from "../support/probe-image.ts";
import { probeConfig } from "../support/probe-server.ts";
import { built, NODE, type Program, startProgram } from "../support/program.ts";
import { createMachine, type Machine } from "../support/runner.ts";

/** Names of this file alone: they tell its containers from those of others. */
const FIRST = "approve-first";
const SECOND = "approve-second";

async function containers(server: string): Promise<number> {
  const { docker } = await connectEngine();
  const filters = { label: [`${SERVER_LABEL}=${server}`] };
  return (await docker.listContainers({ all: true, filters })).length;
}

describe("servers that nobody has agreed to", () => {
  let machine: Machine;
  let runner: Program;
  const programs: Program[] = [];

  /** `mcp-runner` with stdin closed, and without the --yes of other tests. */
  const start = (...args: string[]): Program => {
    const program = startProgram(NODE, [built("runner.js"), ...args], {
      cwd: machine.folder,
      env: { MCP_RUNNER_HOME: machine.home },
    });
    programs.push(program);
    return program;
  };

  before(async () => {
    const image = await probeImage();
    machine = await createMachine(probeConfig(image, { [FIRST]: "well", [SECOND]: "well" }));
    const file = join(machine.folder, "mcp-runner.yaml");
    const secrets = `    secrets: { A: "exec:/usr/bin/touch ${join(machine.folder, "ran")}" }\n`;
    await writeFile(file, (await readFile(file, "utf8")) + secrets);
    runner = start("up", "--port", "0", "--json");
    await runner.printed(/"ok":true/, 60_000);
  });
  after(async () => {
    await Promise.all(programs.map((program) => program.stop()));
    await machine[Symbol.asyncDispose]();
  });

  test("do not start where nobody is there to be asked, and the command that asks is named", async () => {
    assert.match(runner.output(), new RegExp(`Server "${FIRST}" has not started`));
    assert.equal(await containers(FIRST) + await containers(SECOND), 0);
    await assert.rejects(access(join(machine.folder, "ran")), "nor does a program for a secret");
    const inspected = start("inspect", FIRST);
    assert.equal(await inspected.exit, 0);
    assert.match(
      inspected.stdout(),
      new RegExp(`nobody has agreed to how it is run, .*"mcp-runner approve ${FIRST}"`),
    );
  });

  test("approve needs a person or --yes", async () => {
    const alone = start("approve", FIRST);
    assert.equal(await alone.exit, 2);
    assert.match(alone.output(), /approve on a terminal, or with --yes/);
    const nobody = start("approve", "nosuch", "--yes");
    assert.equal(await nobody.exit, 2);
    assert.match(nobody.output(), /Cannot approve "nosuch": no such server/);
  });

  test("start as soon as they are approved, in the runner that serves them, and no other does", async () => {
    const approved = start("approve", FIRST, "--yes");
    assert.equal(await approved.exit, 0, approved.output());
    assert.match(approved.output(), /^ {2}network {4}none$/m);
    assert.match(approved.output(), /^ {2}isolation {2}full$/m);
    for (;;) {
      const inspected = start("inspect", FIRST, "--json");
      assert.equal(await inspected.exit, 0, inspected.output());
      if (/"state":"ready"/.test(inspected.stdout())) break;
    }
    assert.ok(await containers(FIRST) > 0);
    assert.equal(await containers(SECOND), 0);
    await runner.printed(new RegExp(`Server "${FIRST}": \\d+ of \\d+ tools allowed`), 20_000);
  });

  test("what has changed is shown again, marked, before it runs", async () => {
    const file = join(machine.folder, "mcp-runner.yaml");
    const text = await readFile(file, "utf8");
    const changed = text.replace("    args:", '    network: ["example.com:443"]\n    args:');
    await writeFile(file, changed);
    await runner.printed(new RegExp(`changed: ${FIRST}`), 20_000);
    const inspected = start("inspect", FIRST);
    assert.equal(await inspected.exit, 0);
    assert.match(inspected.stdout(), /to be run in another way than was agreed to/);
    const approved = start("approve", FIRST, "--yes");
    assert.equal(await approved.exit, 0, approved.output());
    assert.match(approved.output(), /^\* network {4}example\.com:443$/m);
  });

  test("a config that is a copy elsewhere brings no approvals along", async () => {
    const file = join(machine.folder, "mcp-runner.yaml");
    await writeFile(join(machine.folder, "copy.yaml"), await readFile(file));
    const inspected = start("inspect", FIRST, "--config", "copy.yaml");
    assert.equal(await inspected.exit, 0);
    assert.match(inspected.stdout(), /nobody has agreed/);
  });
});

describe("a server that is run in another way, and says something else of its tool", () => {
  const NAME = "approve-tools";
  const config = (image: string, description: string): string => {
    const source = `(${telling.toString()})(${JSON.stringify(description)})`;
    return `version: 1
servers:
  ${NAME}:
    source: ${JSON.stringify(`image:${image}`)}
    args: ${JSON.stringify(["-e", source])}
    tools: { allow: ["*"] }
`;
  };

  test("shows how it is run and what has changed, one after the other", async () => {
    const image = await probeImage();
    await using machine = await createMachine(config(image, "Before"));
    const first = await machine.run("tools", "ls");
    assert.match(first.stdout, /^approve-tools__tell {2}Before$/m);
    await writeFile(join(machine.folder, "mcp-runner.yaml"), config(image, "After"));
    const changed = await machine.run("tools", "ls");
    assert.doesNotMatch(changed.stdout, /approve-tools__tell/);
    assert.match(changed.output, /its tool "tell" has changed since it was agreed to/);
    const { code, output } = await machine.run("approve", NAME, "--yes");
    assert.equal(code, 0, output);
    assert.match(output, /^- {3}"description": "Before",\n\+ {3}"description": "After",$/m);
    const after = await machine.run("tools", "ls");
    assert.match(after.stdout, /^approve-tools__tell {2}After$/m);
  });
});

/** A server that says `description` of its one tool. It runs in a container, and uses nothing from outside. */
function telling(description: string): void {
  // deno-lint-ignore no-process-global -- runs in a container, as a script
  const { stdin, stdout, exit } = process;
  let rest = "";
  stdin.setEncoding("utf8");
  stdin.on("end", () => exit(0));
  stdin.on("data", (chunk: string) => {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) {
      const { id, method } = JSON.parse(line) as { id?: number; method?: string };
      if (id === undefined) continue;
      const tools = [{ name: "tell", description, inputSchema: { type: "object" } }];
      const initialized = {
        protocolVersion: "2025-11-25",
        capabilities: { tools: {} },
        serverInfo: { name: "telling", version: "1" },
      };
      const outcome = method === "initialize"
        ? { result: initialized }
        : method === "tools/list"
        ? { result: { tools } }
        : { error: { code: -32601, message: "Method not found" } };
      stdout.write(`${JSON.stringify({ jsonrpc: "2.0", id, ...outcome })}\n`);
    }
  });
}
