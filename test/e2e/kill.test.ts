/**
 * A runner is killed, at whatever moment: after the next start, or a `prune`, or a minute, nothing of it is
 * left, and a runner beside it has lost nothing.
 *
 * @module
 */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { connectEngine, type Engine } from "../../runner/docker/engine.ts";
import { withImage } from "../support/engine.ts";
import { eventually } from "../support/eventually.ts";
import { type Belongings, belongingsOf, NOTHING, ownersOf } from "../support/owner.ts";
import { probeImage } from "../support/probe-image.ts";
import { probeEntry } from "../support/probe-server.ts";
import type { Program } from "../support/program.ts";
import { createMachine, type Machine } from "../support/runner.ts";
import { callTool, textOf } from "../support/tool-call.ts";

/** A server that nothing but SIGKILL ends. */
const STUBBORN = `
  for (const name of ["SIGTERM", "SIGINT", "SIGHUP", "SIGPIPE"]) process.on(name, () => {});
  process.stdout.on("error", () => {});
  setInterval(() => {}, 1000);
  const say = (id, result) => console.log(JSON.stringify({ jsonrpc: "2.0", id, result }));
  require("node:readline").createInterface({ input: process.stdin }).on("line", (line) => {
    const { id, method } = JSON.parse(line);
    if (method === "initialize") say(id, { protocolVersion: "2025-11-25", capabilities: { tools: {} },
      serverInfo: { name: "stubborn", version: "1" } });
    else if (method === "tools/list") say(id, { tools: [{ name: "echo", inputSchema: { type: "object" } }] });
    else if (method === "tools/call") say(id, { content: [{ type: "text", text: method }] });
  });
`;

/** Those of them that answer. */
const SERVERS = ["stubborn", "out", "keeper", "each"];

/** A config with every kind of thing that a runner makes in the engine, or beside it. */
function configOf(image: string, bare: string, secret: string): readonly string[] {
  const stubborn = `  stubborn:
    source: ${JSON.stringify(`image:${image}`)}
    args: ${JSON.stringify(["-e", STUBBORN])}
    tools: { allow: ["*"] }
`;
  return [
    "version: 1\nservers:\n",
    stubborn,
    `${probeEntry(image, "out")}    network: ["allowed.example:443"]\n`,
    // Without a shell in the image, the file lies in a folder of this machine.
    `${probeEntry(bare, "keeper")}    secretFiles: { KEY: ${JSON.stringify(`file:${secret}`)} }\n`,
    `${probeEntry(image, "each")}    lifetime: client\n`,
    // Starts for as long as it may.
    `${probeEntry(image, "starting", "silent")}    startTimeout: 4s\n`,
  ];
}

/** A runner with a worker of its own, as `mcp-runner up` makes it. */
interface Up {
  readonly program: Program;
  /** Calls a tool and waits for its answer. */
  call(tool: string): Promise<string>;
}

describe("a runner that is killed", () => {
  let engine: Engine;
  let victim: Machine;
  let neighbour: Machine;
  let beside: Up;
  let besideOwner: string;
  let besideHas: Belongings;
  let endImage: () => Promise<void>;

  before(async () => {
    engine = await connectEngine();
    const image = await probeImage();
    const removeShell = `require("fs").rmSync("/bin/sh")`;
    const lines = [
      `FROM ${image}`,
      "USER 0",
      `RUN ["/usr/bin/node", "-e", ${JSON.stringify(removeShell)}]`,
      "USER 65532",
      "VOLUME /data",
    ];
    // The image is there from here until the last test has ended.
    const bare = await new Promise<string>((resolve, reject) => {
      const building = withImage(engine, lines, (id) =>
        new Promise<void>((end) => {
          endImage = async () => {
            end();
            await building;
          };
          resolve(id);
        }));
      building.catch(reject);
    });
    victim = await machineWith((secret) => configOf(image, bare, secret));
    neighbour = await machineWith((secret) => configOf(image, bare, secret).slice(0, -1));
    beside = await up(neighbour);
    [besideOwner = ""] = await ownersOf(neighbour);
    besideHas = await warm(beside, besideOwner);
  });
  after(async () => {
    await victim?.[Symbol.asyncDispose]();
    await neighbour?.[Symbol.asyncDispose]();
    await endImage?.();
  });

  async function machineWith(config: (secret: string) => readonly string[]): Promise<Machine> {
    const machine = await createMachine();
    const secret = join(machine.folder, "secret");
    await writeFile(secret, randomBytes(16).toString("hex"), { mode: 0o600 });
    await writeFile(join(machine.folder, "mcp-runner.yaml"), config(secret).join(""));
    return machine;
  }

  /** Fails if the neighbour has lost anything; processes that only list end by themselves, in good order. */
  async function assertKept(): Promise<void> {
    const { networks, folders, containers } = await belongingsOf(engine, besideOwner);
    assert.deepEqual(networks, besideHas.networks);
    assert.ok(folders.length > 0);
    assert.ok(containers.length >= SERVERS.length + 1, "the servers and the proxy");
    const { stdout } = await neighbour.run("calls", "--all-events", "--json", "--limit", "10000");
    assert.match(stdout, /"type":"start"/);
    assert.doesNotMatch(stdout, /"type":"(crash|failed)"/);
  }

  /** Calls every server, so that all of them run; what a runner listed before it need not start. */
  async function warm(running: Up, owner: string): Promise<Belongings> {
    for (const name of SERVERS) assert.match(await running.call(`${name}__echo`), /tools\/call/);
    const all = await belongingsOf(engine, owner);
    assert.ok(all.containers.length >= SERVERS.length + 1, "the servers and the proxy");
    assert.equal(all.networks.length, 2);
    assert.ok(all.folders.length > 0);
    return all;
  }

  /** Starts `mcp-runner up`; it is up when it says where. */
  async function up(machine: Machine): Promise<Up> {
    const program = machine.start("up", "--port", "0");
    const [, origin = ""] = await program.printed(/MCP endpoint\s+(\S+)\/mcp/);
    const [, token = ""] = await program.printed(/Token\s+(mcpr_client_\S+)/);
    return {
      program,
      call: async (tool) => textOf(await callTool({ origin, token }, { name: tool })),
    };
  }

  const livingOwner = (): Promise<string> =>
    eventually("it has a socket", async () => (await ownersOf(victim))[0]);
  const has = async (owner: string, what: keyof Belongings): Promise<true | undefined> =>
    (await belongingsOf(engine, owner))[what].length > 0 || undefined;

  /** Ids of the processes beside a runner. */
  async function childrenOf({ process: { pid } }: Program): Promise<readonly number[]> {
    const children = await readFile(`/proc/${pid}/task/${pid}/children`, "utf8");
    return children.split(" ").filter((id) => id !== "").map(Number);
  }

  const lives = (pid: number): boolean => existsSync(`/proc/${pid}`);

  /** What has to have happened before it is killed. */
  type Moment = (program: Program, owner: string) => Promise<unknown>;

  /** While it starts; these moments need no call. */
  const early: readonly (readonly [string, Moment])[] = [
    ["as it shows what it is going to start", (it) => it.printed(/Server "\w+" (is new|has)/)],
    [
      "as its first container appears",
      (_, owner) => eventually("one", () => has(owner, "containers")),
    ],
    ["as its first network appears", (_, owner) => eventually("one", () => has(owner, "networks"))],
    [
      "as a folder with secrets appears",
      (_, owner) => eventually("one", () => has(owner, "folders")),
    ],
    ["as the first server has started", (it) => it.printed(/starting|Connected/)],
  ];

  /** Kills it, lets `clean` clear away, and looks what is left. */
  async function kill(program: Program, owner: string, clean: () => Promise<unknown>) {
    program.process.kill("SIGKILL");
    const { volumes } = await belongingsOf(engine, owner);
    await program.exit;
    await clean();
    await eventually("nothing of it is left", async () => {
      const left = await belongingsOf(engine, owner, volumes);
      return JSON.stringify(left) === JSON.stringify(NOTHING) || undefined;
    }, 5_000).catch(async () =>
      assert.deepEqual(await belongingsOf(engine, owner, volumes), NOTHING)
    );
    await assertKept();
  }

  const prune = async () => {
    const { code, output } = await victim.run("prune");
    assert.equal(code, 0, output);
  };

  for (const [moment, reached] of early) {
    test(`${moment}, leaves nothing after a prune`, async () => {
      const program = victim.start("up", "--port", "0");
      const owner = await livingOwner();
      await reached(program, owner);
      await kill(program, owner, prune);
    });
  }

  const late: readonly (readonly [string, (it: Up) => Promise<unknown>])[] = [
    ["while it is idle", async () => {}],
    ["in a call", async ({ call }) => {
      void call("each__wait").catch(() => {}); // its end is not what this is about
      await eventually(
        "the call has arrived",
        async () => /name\\?":\\?"wait/.test(await call("each__seen")) || undefined,
      );
    }],
    ["while it is stopping", async ({ program }) => {
      program.process.kill("SIGTERM");
      await program.printed(/Stopping/);
    }],
  ];
  for (const [moment, reached] of late) {
    test(`${moment}, leaves nothing after the next start`, async () => {
      const running = await up(victim);
      const owner = await livingOwner();
      // What it listed is known from before, so nothing runs until it is called.
      await warm(running, owner);
      await reached(running);
      let next: Up | undefined;
      try {
        await kill(running.program, owner, async () => next = await up(victim));
        assert.match(await next?.call("out__echo") ?? "", /tools\/call/);
      } finally {
        await next?.program.stop("SIGTERM");
      }
      assert.deepEqual(await ownersOf(victim), []);
    });
  }

  test("and never starts again, leaves nothing a minute later", async () => {
    const running = await up(victim);
    const owner = await livingOwner();
    await warm(running, owner);
    const [reaper = 0, ...others] = await childrenOf(running.program);
    assert.deepEqual(others, []);
    // A session that ends tells all its processes so.
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.kill(reaper, signal);
    running.program.process.kill("SIGKILL");
    const { volumes, containers } = await belongingsOf(engine, owner);
    assert.ok(containers.length > 0);
    await eventually("nothing of it is left", async () => {
      const left = await belongingsOf(engine, owner, volumes);
      return JSON.stringify(left) === JSON.stringify(NOTHING) || undefined;
    }, 60_000);
    await assertKept();
  });

  test("does not take anything from the runner beside it", async () => {
    for (const name of SERVERS) assert.match(await beside.call(`${name}__echo`), /tools\/call/);
    const [reaper = 0] = await childrenOf(beside.program);
    assert.ok(lives(reaper));
    assert.equal(await beside.program.stop("SIGTERM"), 0);
    assert.deepEqual(await belongingsOf(engine, besideOwner), NOTHING);
    await eventually("nobody waits for its end", async () => !lives(reaper) || undefined);
  });
});
