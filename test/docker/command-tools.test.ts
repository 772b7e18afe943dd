import assert from "node:assert/strict";
import { chmod, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { expandServer } from "../../runner/catalog/expand.ts";
import { launchCommands } from "../../runner/commands-server/launch.ts";
import { thisMachine } from "../../runner/docker/bind.ts";
import { OWNER_LABEL } from "../../runner/docker/label.ts";
import { ensureBaseImage } from "../../runner/image/base-image.ts";
import { catalogOf, serverOf } from "../support/catalog.ts";
import { containersOf, until, useEngine } from "../support/engine.ts";

const { docker, skip } = await useEngine();

/** Tools that are each one run of Node. */
const CATALOG = `name: tools
type: poci
tools:
  - name: run
    description: Runs a script with a number
    parameters:
      type: object
      properties: { script: { type: string }, n: { type: integer } }
      required: [script]
    container: { image: ada/node, command: ["-e", "{{script}}", "{{n}}"] }
  - name: read
    description: Reads a file
    parameters: { type: object, properties: { path: { type: string } }, required: [path] }
    container:
      image: ada/node
      command: ["-p", "require('fs').readFileSync('{{path}}', 'utf8')"]
      volumes: ["{{path}}:{{path}}"]
`;

interface Result {
  readonly isError: boolean;
  readonly content: readonly { readonly text: string }[];
}

/** A server of those tools, and a way to call them. */
async function launch(t: TestContext, yaml = "") {
  const config = await serverOf(`source: docker:tools\n${yaml}`);
  const place = { ...thisMachine(), directory: tmpdir() };
  const expanded = await expandServer(config, await catalogOf(CATALOG), {
    file: "",
    volumes: place,
  });
  assert.equal(expanded.source.kind, "commands");
  const asked: string[] = [];
  const server = await launchCommands({
    config: expanded,
    tools: expanded.source.tools,
    engine: docker.engine,
    labels: { [OWNER_LABEL]: docker.owner },
    place,
    prepareImage: async (reference) => {
      asked.push(reference);
      return (await ensureBaseImage(docker.engine, () => {})).image;
    },
  });
  t.after(() => server.stop(0));
  const answers = new Map<
    number,
    (answer: { result?: Result; error?: { message: string } }) => void
  >();
  server.onLine((line) => {
    const answer = JSON.parse(line) as { id: number; result?: Result };
    answers.get(answer.id)?.(answer);
  });
  let id = 0;
  const call = (name: string, args: object) => {
    const own = ++id;
    const answered = new Promise<{ result?: Result; error?: { message: string } }>((resolve) => {
      answers.set(own, resolve);
      const params = { name, arguments: args };
      server.write(JSON.stringify({ jsonrpc: "2.0", id: own, method: "tools/call", params }));
    });
    return { id: own, answered };
  };
  return { server, asked, call };
}

test(
  "a tool of a catalog is one run of a container, whose output is the result",
  { skip },
  async (t) => {
    const { call, asked } = await launch(t);
    assert.deepEqual(asked, ["ada/node"]);
    const script =
      "console.log(process.argv[1]); console.log(); console.error('x'); process.stdout.write('é')";
    const { result } = await call("run", { script, n: 1_000_000 }).answered;
    assert.deepEqual(result, {
      content: [{ type: "text", text: "1000000\n\né" }],
      isError: false,
    });
    assert.deepEqual(await containersOf(docker.engine, docker.owner), []);
  },
);

test("a run that fails gives its output, its errors and its exit code", { skip }, async (t) => {
  const { call } = await launch(t);
  const script = "console.log('out'); console.error('err'); process.exitCode = 3";
  const { result } = await call("run", { script }).answered;
  assert.equal(result?.isError, true);
  assert.deepEqual(result?.content.map(({ text }) => text), [
    "out\n",
    "err\n",
    "run failed with exit code 3",
  ]);
});

test("a run is as isolated as a server: nobody, no network, nothing to write to, no input", {
  skip,
}, async (t) => {
  const { call } = await launch(t);
  const script = `
    const facts = { uid: process.getuid(), nets: Object.keys(require("os").networkInterfaces()) };
    try { require("fs").writeFileSync("/x", ""); } catch (error) { facts.write = error.code; }
    facts.input = require("fs").readFileSync(0, "utf8");
    console.log(JSON.stringify(facts));`;
  const { result } = await call("run", { script }).answered;
  assert.deepEqual(JSON.parse(result?.content[0]?.text ?? ""), {
    uid: 65532,
    nets: ["lo"],
    write: "EROFS",
    input: "",
  });
});

test("a call reads a file of a folder that the config opens, and no other", { skip }, async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "mcp-runner-test-"));
  t.after(() => rm(folder, { recursive: true }));
  await chmod(folder, 0o755);
  const path = join(folder, "note");
  await writeFile(path, "kept");
  const { call } = await launch(t, `volumes: ["${folder}:/data"]`);
  assert.equal((await call("read", { path }).answered).result?.content[0]?.text, "kept\n");

  const closed = await call("read", { path: "/usr/bin/env" }).answered;
  assert.match(closed.error?.message ?? "", /is not in a folder that this server may see/);
  assert.equal(await readFile(path, "utf8"), "kept");
});

test("output without an end is cut, and the run still ends", { skip }, async (t) => {
  const { call } = await launch(t);
  const script = "for (let i = 0; i < 40; i++) process.stdout.write('x'.repeat(65536))";
  const { result } = await call("run", { script }).answered;
  const text = result?.content[0]?.text ?? "";
  assert.match(text, /\(cut here: more was printed than is kept\)$/);
  assert.equal(text.indexOf("\n"), 1024 * 1024);
});

test("a cancelled call takes its container away", { skip }, async (t) => {
  const { server, call } = await launch(t);
  const { id } = call("run", { script: "setInterval(() => {}, 1000)" });
  const running = async () => (await containersOf(docker.engine, docker.owner)).length > 0;
  await until("the container", running);
  const params = { requestId: id };
  server.write(JSON.stringify({ jsonrpc: "2.0", method: "notifications/cancelled", params }));
  await until("its removal", async () => !(await running()));
});

test("a run beyond the timeout of the config is ended and told", { skip }, async (t) => {
  const { call } = await launch(t, "timeout: 1500ms");
  const { error } = await call("run", { script: "setInterval(() => {}, 1000)" }).answered;
  assert.match(error?.message ?? "", /The tool run did not end within 1.5 s and was stopped/);
  assert.deepEqual(await containersOf(docker.engine, docker.owner), []);
});

test("stopping the server ends the runs under way", { skip }, async (t) => {
  const { server, call } = await launch(t);
  call("run", { script: "setInterval(() => {}, 1000)" });
  await until(
    "the container",
    async () => (await containersOf(docker.engine, docker.owner)).length > 0,
  );
  await server.stop(0);
  assert.deepEqual(await containersOf(docker.engine, docker.owner), []);
});
