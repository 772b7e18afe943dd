import assert from "node:assert/strict";
import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { probeImage } from "../support/probe-image.ts";
import { probeConfig, probeSource } from "../support/probe-server.ts";
import { createMachine, type Machine } from "../support/runner.ts";

describe("servers that are added", () => {
  let machine: Machine;
  let image: string;

  const config = (): Promise<string> => readFile(join(machine.folder, "mcp-runner.yaml"), "utf8");

  before(async () => {
    image = await probeImage();
    machine = await createMachine(`# Mine.\n${probeConfig(image)}`);
  });
  after(() => machine[Symbol.asyncDispose]());

  test("add shows what will run, starts it once, and writes it with the allowed tools", async () => {
    const before = await config();
    const { code, stdout, output } = await machine.run(
      "add",
      `image:${image}`,
      "--name",
      "second",
      "--allow",
      "echo",
      "--yes",
      "--json",
      "--",
      "-e",
      probeSource(),
    );
    assert.equal(code, 0, output);
    assert.match(output, /Server "second" is new:\n {2}image {6}image:/);
    const { server, allow, tools } = JSON.parse(stdout) as Record<string, unknown>;
    assert.deepEqual([server, allow], ["second", ["echo"]]);
    assert.ok((tools as string[]).includes("wait"));
    const now = await config();
    assert.ok(now.startsWith(before), "what was there stays, to the byte");
    const pins = await readFile(join(machine.home, "tools.json"), "utf8");
    const { servers } = JSON.parse(pins) as {
      servers: Array<{ server: string; tools: Array<{ name: string }> }>;
    };
    const pinned = servers.find((one) => one.server === "second")?.tools.map(({ name }) => name);
    assert.deepEqual(pinned, tools, "what was shown is pinned");
    const listed = await machine.run("tools", "ls");
    assert.match(listed.stdout, /^second__echo/m);
    assert.doesNotMatch(listed.stdout, /^second__wait/m);
  });

  test("a server that cannot be started is not added, and the reason is said", async () => {
    const before = await config();
    const { code, output } = await machine.run(
      "add",
      `image:${image}`,
      "--name",
      "third",
      "--yes",
      "--",
      "-e",
      probeSource("exits"),
    );
    assert.equal(code, 1, output);
    assert.match(output, /Cannot start server "third"/);
    assert.match(output, /the moon is in the wrong phase/);
    assert.equal(await config(), before);
  });

  test("without a person and without --yes nothing runs and nothing is written", async () => {
    const before = await config();
    const { code, output } = await machine.run("add", `image:${image}`, "--name", "fourth");
    assert.equal(code, 1, output);
    assert.match(output, /nobody has agreed to how it is run: add it on a terminal, or with --yes/);
    assert.doesNotMatch(output, /Cannot start|mcp-runner approve/);
    assert.equal(await config(), before);
  });

  test("a name that is taken, and a source that is none, are refused", async () => {
    const taken = await machine.run("add", `image:${image}`, "--name", "second", "--no-start");
    assert.equal(taken.code, 2, taken.output);
    assert.match(taken.output, /the config has one of this name, choose another with --name/);
    const none = await machine.run("add", "docker run x");
    assert.equal(none.code, 2);
    assert.match(none.output, /does not say where the server comes from/);
  });

  test("import brings a client's servers along and moves their secrets into the store", async () => {
    const token = "ghp_16C7e42F292c6912E7710c838347Ae178B4a";
    const file = join(machine.folder, "claude.json");
    const servers = {
      Notes: { command: "npx", args: ["-y", "notes@1.0.0"], env: { NOTES_TOKEN: token } },
      own: { command: "/usr/bin/own" },
      etc: { command: "docker", args: ["run", "-v", "/etc:/etc", "x"] },
    };
    await writeFile(file, JSON.stringify({ mcpServers: servers }));
    const dry = await machine.run("import", file, "--dry-run");
    assert.equal(dry.code, 0, dry.output);
    assert.doesNotMatch(await config(), /notes/);

    const { code, output } = await machine.run("import", file);
    assert.equal(code, 0, output);
    assert.match(output, /^notes \(was Notes\) {2}npm:notes@1\.0\.0$/m);
    assert.match(output, /^own {2}left out: .*is a program of this machine/m);
    assert.match(output, /^etc {2}left out: .*may not be seen by a server/m);
    assert.match(await config(), /NOTES_TOKEN: store:notes\.notes_token/);
    assert.ok(!(await config()).includes(token) && !output.includes(token));
    const secrets = await machine.run("secret", "ls", "--json");
    assert.match(secrets.stdout, /notes\.notes_token/);

    const filledIn = (await config()).replace(
      /npm:notes@1\.0\.0\n/,
      "$&    tools: { allow: [read] }\n",
    );
    await writeFile(join(machine.folder, "mcp-runner.yaml"), filledIn);
    const again = await machine.run("import", file, "--json");
    assert.equal(again.code, 0, again.output);
    assert.match(again.stdout, /"from":"Notes","why":"it is in the config already"/);
    assert.equal(await config(), filledIn);

    servers.Notes.args[1] = "notes@2.0.0";
    await writeFile(file, JSON.stringify({ mcpServers: servers }));
    assert.match((await machine.run("import", file)).output, /^notes-2 \(was Notes\)/m);
  });

  test("the first server makes the config", async () => {
    const fresh = await createMachine("");
    await rm(join(fresh.folder, "mcp-runner.yaml"));
    const { code, output } = await fresh.run("add", "npm:notes@1.0.0", "--no-start");
    assert.equal(code, 0, output);
    const text = await readFile(join(fresh.folder, "mcp-runner.yaml"), "utf8");
    assert.equal(text, "version: 1\n\nservers:\n  notes:\n    source: npm:notes@1.0.0\n");
    await fresh[Symbol.asyncDispose]();
  });
});
