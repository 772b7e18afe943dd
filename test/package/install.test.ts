/**
 * What a user gets from the registry: the packed tarball, installed into an empty folder and started
 * through npx, with the oldest Node that must work and with the one we develop on.
 *
 * @module
 */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import process from "node:process";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import * as v from "valibot";
import { installedNode } from "../../scripts/install.mjs";
import { postModern } from "../support/mcp.ts";
import { probeImage } from "../support/probe-image.ts";
import { probeConfig } from "../support/probe-server.ts";
import { startProgram } from "../support/program.ts";
import { createMachine } from "../support/runner.ts";
import { startWorker } from "../support/worker.ts";

const run = promisify(execFile);
const root = join(dirname(fileURLToPath(import.meta.url)), "../..");
const SHIPPED = [
  "CHANGELOG.md",
  "LICENSE",
  "README.md",
  "dist/LICENSES.txt",
  "dist/egress.js",
  "dist/program.js",
  "dist/runner.js",
  "dist/worker.js",
  "package.json",
];

/** Folders of PATH that are not ours: `npm test` puts node_modules/.bin in front. */
const systemPath = (process.env["PATH"] ?? "").split(delimiter)
  .filter((folder) => !folder.includes("node_modules"));

/** Our environment without what npm told this test run, and with the Node in `folder` first. */
function environment(folder: string): NodeJS.ProcessEnv {
  const clean = Object.entries(process.env).filter(([name]) => !/^npm_/i.test(name));
  return { ...Object.fromEntries(clean), PATH: [folder, ...systemPath].join(delimiter) };
}

/** Folder of a Node of this major version on PATH. */
async function systemNode(major: number): Promise<string | undefined> {
  for (const folder of systemPath) {
    try {
      const { stdout } = await run(join(folder, "node"), ["--version"]);
      if (stdout.startsWith(`v${major}.`)) return folder;
    } catch {
      // no node in this folder
    }
  }
  return undefined;
}

const packed = v.pipe(
  v.string(),
  v.parseJson(),
  v.tuple([v.object({ filename: v.string(), files: v.array(v.object({ path: v.string() })) })]),
);

let folder: string;
let tarball: string;
let files: string[];

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "mcp-runner-package-"));
  const env = environment(dirname(installedNode(root)));
  const pack = ["pack", "--json", "--ignore-scripts", "--pack-destination", folder];
  const { stdout } = await run("npm", pack, { cwd: root, env });
  const [{ filename, files: listed }] = v.parse(packed, stdout);
  tarball = join(folder, filename);
  files = listed.map(({ path }) => path);
  await writeFile(join(folder, "package.json"), `{ "private": true }`);
  // Offline: a package that needs another one would fail here.
  await run("npm", ["install", "--offline", "--no-audit", "--no-fund", tarball], {
    cwd: folder,
    env,
  });
});

after(() => rm(folder, { recursive: true, force: true }));

test("the tarball holds what a user needs and nothing else", () => {
  assert.deepEqual(files.toSorted(), SHIPPED);
});

test("the installed package brings no other package and no install script", async () => {
  const lock: unknown = JSON.parse(await readFile(join(folder, "package-lock.json"), "utf8"));
  const { packages } = v.parse(
    v.object({
      packages: v.record(v.string(), v.object({ hasInstallScript: v.optional(v.boolean()) })),
    }),
    lock,
  );
  assert.deepEqual(Object.keys(packages), ["", "node_modules/mcp-runner"]);
  assert.equal(packages["node_modules/mcp-runner"]?.hasInstallScript, undefined);
});

const nodes: Array<[name: string, folder: string | undefined]> = [
  ["Node 20", await systemNode(20)],
  ["Node 24", dirname(installedNode(root))],
];

for (const [name, bin] of nodes) {
  const options = bin === undefined ? { skip: `there is no ${name} on PATH` } : {};

  test(`npx mcp-runner --version prints the version on ${name}`, options, async () => {
    const { version } = v.parse(
      v.object({ version: v.string() }),
      JSON.parse(await readFile(join(root, "package.json"), "utf8")),
    );
    assert.equal(await npx(bin, "--version"), version);
  });

  test(`npx mcp-runner --help shows how to connect on ${name}`, options, async () => {
    assert.match(await npx(bin, "--help"), /^ *connect /m);
  });

  test(`the installed mcp-runner connects and serves calls on ${name}`, options, async () => {
    assert.ok(bin !== undefined);
    await using worker = await startWorker("node");
    await using machine = await createMachine(probeConfig(await probeImage(), { packed: "well" }));
    // What npx runs, without npx in between: npm keeps some signals to itself.
    await using program = startProgram(
      join(folder, "node_modules/.bin/mcp-runner"),
      ["connect", "--yes", worker.origin, "--code", worker.joinCode],
      { cwd: machine.folder, env: { ...environment(bin), MCP_RUNNER_HOME: machine.home } },
    );
    await program.printed(/^Ready/m);
    const endpoint = { origin: worker.origin, token: await machine.createToken("*") };
    const params = { name: "packed__echo", arguments: { from: name } };
    const answer = await postModern(endpoint, "tools/call", { params });
    assert.match(await answer.text(), new RegExp(name));
    assert.equal(await program.stop("SIGTERM"), 0);
  });
}

async function npx(bin: string | undefined, ...args: string[]): Promise<string> {
  assert.ok(bin !== undefined);
  const env = environment(bin);
  const { stdout, stderr } = await run("npx", ["--no-install", "mcp-runner", ...args], {
    cwd: folder,
    env,
  });
  // Only npm may have something to say; the program itself starts without a warning.
  assert.doesNotMatch(stderr, /^(?!npm )./m);
  return stdout.trim();
}
